package main

import (
	"context"
	"errors"
	"fmt"

	"wsss/data"
	"wsss/data/files"
	"wsss/models/foundation/load"
	"wsss/models/manifest"
	"wsss/train/clip"
	"wsss/train/multilabel"
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
	val, err := p.validationData()
	if err != nil {
		return err
	}
	text, before, err := p.findCLIP(ctx, val)
	if err != nil {
		return err
	}
	res, err := p.fineTune(ctx, val, text, before)
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

// valSplitCLIP is the split that fine-tuning is judged on.
func (p *pipeline) valSplitCLIP() string {
	if v := p.cfg.FineTuneCLIP.Val; v != nil {
		return v.ValSplit
	}
	return p.cfg.Data.ValSplit
}

// findCLIP finds the image encoder where the config names a model, and scores
// the whole model before any training. text has its embeddings of the classes.
func (p *pipeline) findCLIP(ctx context.Context, val data.Dataset) (text [][]float32, before *multilabel.Metrics, err error) {
	f := &p.cfg.FineTuneCLIP
	if f.Encoder != "" {
		return nil, nil, nil
	}
	if f.Model == "" {
		return nil, nil, usagef("finetune-clip: the config has no finetune_clip.model: name a CLIP of `wsss models list`, or an ONNX file with finetune_clip.encoder")
	}
	store, err := manifest.Open("")
	if err != nil {
		return nil, nil, err
	}
	var paths []string
	for _, role := range []string{"vision", "text", "merges"} {
		path, err := store.File(ctx, f.Model, role)
		if err != nil {
			return nil, nil, err
		}
		paths = append(paths, path)
	}
	f.Encoder = paths[0]
	b, err := p.backend()
	if err != nil {
		return nil, nil, err
	}
	m, sessions, err := load.CLIP(b, paths[0], paths[1], paths[2], load.Options{})
	if err != nil {
		return nil, nil, err
	}
	defer sessions.Close()
	if text, err = clip.Prompts(ctx, m, val.Classes()); err != nil {
		return nil, nil, err
	}
	err = p.stage(ctx, "CLIP without training", func(progress func(done, total int)) error {
		before, err = clip.ZeroShot(ctx, m, text, val, p.valSplitCLIP(), progress)
		return err
	})
	if err == nil {
		p.say("before: mAP %.2f %% (VOC 2007: %.2f, uninterpolated: %.2f) on %d images", 100*before.MAP, 100*before.MAP11, 100*before.MAPPlain, before.Images)
	}
	return text, before, err
}

// fineTuned is what fine-tuning came to, for OUT/finetune/result.json.
type fineTuned struct {
	*multilabel.Result
	Before *multilabel.Metrics `json:"before"` // of the model before any training; nil for an encoder without its text model
}

func (p *pipeline) fineTune(ctx context.Context, val data.Dataset, text [][]float32, before *multilabel.Metrics) (*multilabel.Result, error) {
	job := clip.Job{
		Dataset: p.ds, Split: p.cfg.Data.TrainSplit, Val: val, ValSplit: p.valSplitCLIP(),
		Config: p.cfg.FineTuneCLIP, Seed: p.cfg.Seed, OutDir: p.path("finetune"),
		ConfigHash: p.cfg.FineTuneHash(), Versions: versions(),
		Log: func(line string) { p.say("  %s", line) },
	}
	if p.cfg.FineTuneCLIP.Head == "text" {
		job.Text = text
	}
	var err error
	if job.Backend, err = p.backend(); err != nil {
		return nil, err
	}
	var res *multilabel.Result
	err = p.stage(ctx, "fine-tune CLIP", func(progress func(done, total int)) error {
		job.Progress = progress
		res, err = clip.Run(ctx, job)
		if errors.Is(err, multilabel.ErrOtherRun) {
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
	return res, files.WriteJSON(p.path("finetune", "result.json"), fineTuned{res, before})
}
