package main

import (
	"context"
)

func init() {
	register(command{name: "train-classifier", short: "train the ResNet classifier behind class activation maps, from image tags", run: runTrainClassifier})
}

const trainClassifierIntro = `
wsss train-classifier trains a ResNet on image tags by the table [classifier] of
the config, as IRN does (docs/cam.md). It writes checkpoints and a log below
OUT/classifier, and at the end the best one as classifier.safetensors, in
PyTorch's names, with classifier.json: classes, scores, a threshold for each.
Killed and begun again, it goes on from the last checkpoint and ends with the
same bytes; finished, it does nothing.

The gen method "cam" takes the file, and every method that refines takes "cam"
as a source of scores.

  wsss train-classifier -config configs/scenes_cam.toml
  wsss gen -config configs/scenes_cam.toml`

func runTrainClassifier(ctx context.Context, args []string) error {
	f := newFlags("train-classifier", trainClassifierIntro).withConfig()
	if err := f.parse(args, 0); err != nil {
		return err
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	return p.TrainClassifier(ctx)
}
