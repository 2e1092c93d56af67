package main

import (
	"context"
	"fmt"
	"sort"

	"wsss/cmd/pipeline"
)

func runVersion(_ context.Context, args []string) error {
	if err := newFlags("version").parse(args, 0); err != nil {
		return err
	}
	v := pipeline.Versions()
	keys := make([]string, 0, len(v))
	for k := range v {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Fprintf(stdout, "%-14s %s\n", k, v[k])
	}
	return nil
}
