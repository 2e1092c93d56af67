package main

import (
	"context"

	"wsss/cmd/pipeline"
)

func init() {
	register(command{name: "finetune-clip", short: "fine-tune CLIP's image encoder into a classifier, and label images with it", run: runFineTune})
}

const fineTuneIntro = `
wsss finetune-clip trains the image encoder of CLIP, an ONNX file, with a new
LayerNorm and linear layer into a classifier of image labels, by the table
[finetune_clip] of the config. It writes checkpoints and a log below
OUT/finetune, and at the end the best one as classifier.onnx, which any ONNX
runtime opens, with classifier.json: classes, a threshold for each, scores.
Killed and begun again, it goes on from the last checkpoint and ends with the
same bytes; finished, it does nothing.

With -label it then gives every image of a split its labels and writes them as
a table that data.options.tags takes, so that stage one can use them.

  wsss finetune-clip -config configs/clip_openimages_voc.toml -dry-run
  wsss finetune-clip -config configs/clip_openimages_voc.toml
  wsss finetune-clip -config configs/clip_openimages_voc.toml -label train_aug
  wsss gen -config my.toml -set data.options.tags=runs/clip_openimages_voc/finetune/tags-train_aug.csv`

func runFineTune(ctx context.Context, args []string) error {
	f := newFlags("finetune-clip", fineTuneIntro).withConfig()
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
