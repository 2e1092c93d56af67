package main

import (
	"context"
)

func runTrainIRN(ctx context.Context, args []string) error {
	f := newFlags("train-irn").withConfig()
	if err := f.parse(args, 0); err != nil {
		return err
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	return p.TrainIRN(ctx)
}
