package main

import (
	"context"
	"errors"
	"fmt"

	"wsss/data"
	"wsss/data/files"
	"wsss/train/clip"
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

  wsss finetune-clip -config configs/clip_openimages_voc.toml
  wsss finetune-clip -config configs/clip_openimages_voc.toml -label train_aug
  wsss gen -config my.toml -set data.options.tags=runs/clip_openimages_voc/finetune/tags-train_aug.csv`

func runFineTune(ctx context.Context, args []string) error {
	f := newFlags("finetune-clip", fineTuneIntro).withConfig()
	label := f.String("label", "", "then label the images of this `split` of the validation dataset")
	top := f.Int("top", 0, "with -label: so many best `classes` of every image; 0 = those above their thresholds")
	least := f.Int("at-least", 1, "with -label: the least `number` of classes of an image")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	if p.cfg.FineTuneCLIP.Encoder == "" {
		return usagef("finetune-clip: finetune_clip.encoder is missing: name the ONNX file of CLIP's image encoder")
	}
	val, err := p.validationData()
	if err != nil {
		return err
	}
	res, err := p.fineTune(ctx, val)
	if err != nil {
		return err
	}
	if *label == "" {
		return nil
	}
	b, err := p.backend()
	if err != nil {
		return err
	}
	l, err := clip.OpenLabeler(b, res.Classifier)
	if err != nil {
		return err
	}
	defer l.Close()
	l.Top, l.AtLeast = *top, *least
	tags := p.path("finetune", "tags-"+*label+".csv")
	err = p.stage(ctx, "label "+*label, func(progress func(done, total int)) error {
		return l.WriteTags(ctx, val, *label, tags, progress)
	})
	if err == nil {
		p.say("labels in %s: data.options.tags takes them", tags)
	}
	return err
}

// validationData is the dataset that fine-tuning is judged on, where it is not
// that of the run.
func (p *pipeline) validationData() (data.Dataset, error) {
	v := p.cfg.FineTuneCLIP.Val
	if v == nil {
		return p.ds, nil
	}
	ds, err := data.Open(v.Kind, data.Options{Root: v.Root, Seed: p.cfg.Seed, Extra: v.Options})
	if err != nil {
		return nil, usageError{fmt.Errorf("[finetune_clip.val]: %w", err)}
	}
	return ds, nil
}

func (p *pipeline) fineTune(ctx context.Context, val data.Dataset) (*clip.Result, error) {
	job := clip.Job{
		Dataset: p.ds, Split: p.cfg.Data.TrainSplit, Val: val, ValSplit: p.cfg.Data.ValSplit,
		Config: p.cfg.FineTuneCLIP, Seed: p.cfg.Seed, OutDir: p.path("finetune"),
		ConfigHash: p.cfg.FineTuneHash(), Versions: versions(),
		Log: func(line string) { p.say("  %s", line) },
	}
	if v := p.cfg.FineTuneCLIP.Val; v != nil {
		job.ValSplit = v.ValSplit
	}
	var err error
	if job.Backend, err = p.backend(); err != nil {
		return nil, err
	}
	var res *clip.Result
	err = p.stage(ctx, "fine-tune CLIP", func(progress func(done, total int)) error {
		job.Progress = progress
		res, err = clip.Run(ctx, job)
		if errors.Is(err, clip.ErrOtherRun) {
			return fmt.Errorf("%w; -set out=… keeps both", err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if m := res.Val; m != nil {
		p.say("best after %d of %d updates: mAP %.2f %% (VOC 2007: %.2f, uninterpolated: %.2f) on %d images; at the thresholds precision %.1f %%, recall %.1f %%",
			res.BestStep, res.Steps, 100*m.MAP, 100*m.MAP11, 100*m.MAPPlain, m.Images, 100*m.Precision, 100*m.Recall)
	}
	p.say("classifier: %s", res.Classifier)
	return res, files.WriteJSON(p.path("finetune", "result.json"), res)
}
