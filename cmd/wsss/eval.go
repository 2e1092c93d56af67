package main

import (
	"context"

	"wsss/cmd/pipeline"
	"wsss/gen"
)

func runEval(ctx context.Context, args []string) error {
	f := newFlags("eval").withConfig().withDevices()
	var c pipeline.EvalCall
	f.Var((*list)(&c.Nets), "checkpoint", "score this trained network, `[NAME=]FILE`, instead of the config's rows; may be repeated")
	f.StringVar(&c.Labels, "labels", "", "score this `folder` of label PNGs instead of the config's rows")
	f.StringVar(&c.Split, "split", "", "score on this `split` instead of data.val_split")
	f.StringVar(&c.Only, "only", "", "only the row of this `NAME`")
	f.BoolVar(&c.Page, "report", false, "also write OUT/report.html of these rows")
	f.StringVar(&c.Submission, "submission", "", "for the VOC evaluation server: label -split with one row, or take -labels, and pack this .tgz `file`")
	f.BoolVar(&c.Void, "void-as-background", false, "with -labels and -submission: write 255 as background instead of refusing it")
	f.BoolVar(&c.Binary, "binary", false, "with -labels and -against: label maps of only 0 and 255 are those of class 1")
	f.Var((*list)(&c.Against), "against", "also score `NAME=FOLDER`; may be repeated")
	shard := f.String("shard", "", "score only part `i/n` of the images of each row, 0 <= i < n; -merge adds the parts up")
	f.BoolVar(&c.Merge, "merge", false, "make the rows from the parts that -shard has scored")
	status := f.Bool("status", false, "only tell how far the parts of -shard are, from their files alone")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	var err error
	if c.Shard, err = gen.ParseShard(*shard); err != nil {
		return pipeline.UsageError{Err: err}
	}
	if err := c.Check(); err != nil {
		return err
	}
	f.configOptional = c.Named()
	if *status {
		cfg, err := f.load()
		if err != nil {
			return err
		}
		return pipeline.EvalStatus(cfg, stdout)
	}
	open := openAlone
	if c.Shard.Count > 0 { // beside the others
		open = openPipeline
	}
	p, err := open(f)
	if err != nil {
		return err
	}
	defer p.Close()
	return c.Run(ctx, p)
}
