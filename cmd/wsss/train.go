package main

import (
	"context"

	"wsss/cmd/pipeline"
)

func runTrain(ctx context.Context, args []string) error {
	f := newFlags("train").withConfig()
	restart := f.Bool("restart", false, "replace a training of another config or of another folder of labels")
	keep := f.Bool("keep-going", false, "train on the images that have a label map, also where others lack theirs because labelling them failed")
	net := f.String("net", "", "only this `network`: pseudo (on train.labels) or bound (on the true masks)")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	cfg, err := f.load()
	if err != nil {
		return err
	}
	if err := pipeline.CheckNets(cfg, *net); err != nil { // before anything is written
		return err
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	p.Restart, p.KeepGoing = *restart, *keep
	return p.Train(ctx, *net)
}
