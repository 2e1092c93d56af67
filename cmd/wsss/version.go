package main

import (
	"context"

	"wsss/cmd/pipeline"
)

func runVersion(_ context.Context, args []string) error {
	if err := newFlags("version").parse(args, 0); err != nil {
		return err
	}
	return pipeline.WriteVersions(stdout)
}
