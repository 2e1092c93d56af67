package main

import (
	"context"
)

func runTrainClassifier(ctx context.Context, args []string) error {
	f := newFlags("train-classifier").withConfig()
	if err := f.parse(args, 0); err != nil {
		return err
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	return p.TrainClassifier(ctx)
}
