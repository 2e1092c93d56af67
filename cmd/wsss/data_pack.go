package main

import (
	"context"
	"fmt"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/data/shards"
	"wsss/data/words"
)

func runPack(ctx context.Context, args []string) error {
	f := newDataFlags("data pack")
	out := f.String("out", "", "`folder` to write to")
	labels := f.String("labels", "", "`folder` of pseudo-labels that wsss gen wrote, to go with the images")
	size := f.Int("size", 256, "begin another tar file after so many `MiB`")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	switch {
	case *out == "":
		return pipeline.Usagef("data pack: -out is missing: name the folder to write")
	case *size < 1 || *size > 1<<20:
		return pipeline.Usagef("data pack: -size %d: allowed are 1..%d MiB", *size, 1<<20)
	}
	ds, splits, err := f.open()
	if err != nil {
		return err
	}
	dir, err := files.Mount("-out", *out, false)
	if err != nil {
		return pipeline.UsageError{Err: err}
	}
	from, err := files.Mount("-labels", *labels, true)
	if err != nil {
		return pipeline.UsageError{Err: err}
	}
	n := 0
	err = f.show("pack", func(progress func(done, total int)) (err error) {
		n, err = shards.Pack(ctx, shards.PackOptions{Dataset: ds, Splits: splits, Out: dir, Labels: from, Size: int64(*size) << 20, Progress: progress})
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s in %s; data.kind = %q reads them\n", words.Count(n, "tar file", "tar files"), files.Address(dir), shards.Kind)
	return nil
}
