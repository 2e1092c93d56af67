package main

import (
	"context"

	"wsss/cmd/pipeline"
)

func runFineTune(ctx context.Context, args []string) error {
	f := newFlags("finetune-clip").withConfig()
	label := f.String("label", "", "then label the images of this `split` of the validation dataset")
	top := f.Int("top", 0, "with -label: so many best `classes` of every image; 0 = those above their thresholds")
	least := f.Int("at-least", 1, "with -label: the least `number` of classes of an image")
	dry := f.Bool("dry-run", false, "check the config, print the plan and what it lacks (data, weights), do nothing")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *dry {
		cfg, err := f.load()
		if err != nil {
			return err
		}
		return pipeline.FineTunePlan(cfg, f.options(), stdout)
	}
	p, err := openAlone(f)
	if err != nil {
		return err
	}
	defer p.Close()
	return p.FineTuneAndTag(ctx, pipeline.TagOptions{Split: *label, Top: *top, AtLeast: *least})
}
