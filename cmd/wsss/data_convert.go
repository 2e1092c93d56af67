package main

import (
	"cmp"
	"context"
	"fmt"

	"wsss/cmd/pipeline"
	"wsss/data/annotation"
	"wsss/data/convert"
	"wsss/data/folder"
	"wsss/data/words"
)

func runConvert(ctx context.Context, args []string) error {
	f := newDataFlags("data convert")
	out := f.String("out", "", "`folder` to write to")
	to := f.String("to", "", "`formats` to write, a list")
	tolerance := f.Float64("tolerance", 0, "thin out polygons made from masks: corners within this many `pixels` of the line are left out")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *out == "" || *to == "" {
		return pipeline.Usagef("data convert: -to and -out are needed, for example -root photos -to coco -out DIR")
	}
	if err := checkTolerance("data convert", *tolerance); err != nil {
		return err
	}
	if f.config == "" {
		f.kind = cmp.Or(f.kind, folder.Kind)
	}
	ds, splits, err := f.open()
	if err != nil {
		return err
	}
	job := convert.Job{Dataset: ds, Splits: splits, Chosen: len(f.splits) > 0, Dir: *out, Tolerance: *tolerance}
	if job.Formats, err = f.listOf("to", annotation.WriterNames()); err != nil {
		return err
	}
	if err := job.Apart(f.cfg.Data.Root); err != nil {
		return pipeline.Usagef("data convert: -out %w", err)
	}
	var made convert.Result
	err = f.show("convert", func(progress func(done, total int)) (err error) {
		made, err = job.Run(ctx, progress)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s as %s in %s%s\n", words.Plural(made.Written, "image"), *to, *out, made.LeftOut())
	return nil
}
