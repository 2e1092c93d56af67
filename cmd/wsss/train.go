package main

import (
	"context"

	"wsss/cmd/pipeline"
)

func init() {
	register(command{name: "train", short: "stage two: a segmentation network from label masks", run: runTrain})
}

const trainIntro = `
wsss train fits the network of [train] on the pseudo-labels of OUT/gen, or on
any folder of label PNGs (train.labels = "folder", or "truth" for the true
masks). It writes checkpoints, a metrics log and curves below OUT/train/NET.
Killed and begun again, it goes on from the last checkpoint and ends with the
same weights; finished, it does nothing. Where labels, photos or true masks have
changed since, it says so and trains again.

  wsss train -config my.toml
  wsss train -config my.toml -net bound           on the true masks
  wsss train -config my.toml -set train.batch=8 -backend xla:cuda`

func runTrain(ctx context.Context, args []string) error {
	f := newFlags("train", trainIntro).withConfig()
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
