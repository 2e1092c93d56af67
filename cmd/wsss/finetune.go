package main

import (
	"context"
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
		return fineTunePlan(f, stdout)
	}
	p, err := openAlone(f)
	if err != nil {
		return err
	}
	defer p.Close()
	val, err := p.ValidationData()
	if err != nil {
		return err
	}
	l, err := p.FineTuneWhole(ctx, val)
	if err != nil {
		return err
	}
	defer l.Close()
	if *label == "" {
		return nil
	}
	if l.Ensemble != nil {
		m, sessions, err := p.OpenCLIP(ctx)
		if err != nil {
			return err
		}
		defer sessions.Close()
		if err := l.AddZeroShot(ctx, m); err != nil {
			return err
		}
	}
	l.Top, l.AtLeast = *top, *least
	tags := p.Path("finetune", "tags-"+*label+".csv")
	err = p.Step(ctx, "label "+*label, func(progress func(done, total int)) error {
		return l.WriteTags(ctx, val, *label, tags, progress)
	})
	if err == nil {
		p.Say("labels in %s: data.options.tags takes them", tags)
	}
	return err
}
