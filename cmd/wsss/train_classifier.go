package main

import (
	"context"

	"wsss/cmd/pipeline"
)

// runTrainClassifier and runTrainIRN train what methods work with, on a config's run.
var (
	runTrainClassifier = training("train-classifier", (*pipeline.Run).TrainClassifier)
	runTrainIRN        = training("train-irn", (*pipeline.Run).TrainIRN)
)

func training(name string, train func(*pipeline.Run, context.Context) error) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		f := newFlags(name).withConfig()
		if err := f.parse(args, 0); err != nil {
			return err
		}
		p, err := openPipeline(f)
		if err != nil {
			return err
		}
		return train(p, ctx)
	}
}
