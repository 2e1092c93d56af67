package main

import (
	"context"
)

func init() {
	register(command{name: "train-irn", short: "train IRN's network of boundaries, or AffinityNet, from confident labels", run: runTrainIRN})
}

const trainIRNIntro = `
wsss train-irn trains the network of inter-pixel relations by the table [irn] of
the config, as IRN does (docs/refinement.md): on a frozen ResNet, from pairs of
near pixels in confident labels (irn.labels). It writes checkpoints and a log
below OUT/irn, and at the end irn.safetensors, in PyTorch's names. Killed and
begun again, it goes on from the last checkpoint and ends with the same bytes;
finished, it does nothing.

The gen method "irn" takes the file. With irn.kind = "affinitynet" it is AffinityNet
that learns, with its backbone, and the method "affinitynet" takes it.

  wsss train-classifier -config configs/scenes_cam.toml
  wsss run -config configs/scenes_irn.toml`

func runTrainIRN(ctx context.Context, args []string) error {
	f := newFlags("train-irn", trainIRNIntro).withConfig()
	if err := f.parse(args, 0); err != nil {
		return err
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	return p.TrainIRN(ctx)
}
