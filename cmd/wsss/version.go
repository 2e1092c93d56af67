package main

import (
	"context"
	"fmt"
	"sort"

	"wsss/cmd/pipeline"
)

func init() {
	register(command{name: "version", short: "versions of wsss and of what it is built from", run: runVersion})
}

func runVersion(_ context.Context, args []string) error {
	if err := newFlags("version", "wsss version prints what this binary is built from.").parse(args, 0); err != nil {
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
