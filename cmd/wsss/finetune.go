package main

import (
	"context"
	"errors"
	"fmt"

	"wsss/checkpoints/files"
	"wsss/data"
	foundation "wsss/models/foundation/clip"
	"wsss/models/foundation/cliptags"
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
	defer p.close()
	val, err := p.validationData()
	if err != nil {
		return err
	}
	l, err := p.fineTuneWhole(ctx, val)
	if err != nil {
		return err
	}
	defer l.Close()
	if *label == "" {
		return nil
	}
	if l.Ensemble != nil {
		m, sessions, err := p.openCLIP(ctx)
		if err != nil {
			return err
		}
		defer sessions.Close()
		if err := l.AddZeroShot(ctx, m); err != nil {
			return err
		}
	}
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

// fineTuneWhole trains the classifier and judges it.
func (p *pipeline) fineTuneWhole(ctx context.Context, val data.Dataset) (*cliptags.Labeler, error) {
	trial, err := p.trial(val)
	if err != nil {
		return nil, err
	}
	text, err := p.findCLIP(ctx, val, trial)
	if err != nil {
		return nil, err
	}
	res, err := p.fineTune(ctx, val, text)
	if err != nil {
		return nil, err
	}
	b, err := p.backend()
	if err != nil {
		return nil, err
	}
	l, err := cliptags.Open(b, res.Classifier)
	if err != nil {
		return nil, err
	}
	if err := p.judge(ctx, l, trial, res); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// trial reads the labels of the images that the classifier is judged on, and of
// those of the training that are held out for its thresholds.
func (p *pipeline) trial(val data.Dataset) (t *clip.Trial, err error) {
	f := p.cfg.FineTuneCLIP
	t = &clip.Trial{Beta: f.Beta}
	if t.Val, err = multilabel.ReadSplit(val, p.valSplitCLIP(), "ignore"); err != nil {
		return nil, err
	}
	if f.Calibrate > 0 {
		all, err := multilabel.ReadSplit(p.ds, p.cfg.Data.TrainSplit, f.Unknown)
		if err != nil {
			return nil, err
		}
		t.Held, _ = all.HoldOut(f.Calibrate, p.cfg.Seed)
	}
	return t, nil
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

// openCLIP loads the model that the config names.
func (p *pipeline) openCLIP(ctx context.Context) (*foundation.Model, load.Closer, error) {
	paths, err := p.filesCLIP(ctx)
	if err != nil {
		return nil, nil, err
	}
	b, err := p.backend()
	if err != nil {
		return nil, nil, err
	}
	return load.CLIP(b, paths[0], paths[1], paths[2], load.Options{})
}

func (p *pipeline) filesCLIP(ctx context.Context) (paths []string, err error) {
	store, err := manifest.Open("")
	if err != nil {
		return nil, err
	}
	for _, role := range []string{"vision", "text", "merges"} {
		path, err := store.File(ctx, p.cfg.FineTuneCLIP.Model, role)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// findCLIP finds the image encoder where the config names a model, and scores
// the images of the trial by the whole model before any training. text has its
// embeddings of the classes.
func (p *pipeline) findCLIP(ctx context.Context, val data.Dataset, t *clip.Trial) (text [][]float32, err error) {
	f := &p.cfg.FineTuneCLIP
	if f.Encoder != "" {
		return nil, nil
	}
	if f.Model == "" {
		return nil, usagef("finetune-clip: the config has no finetune_clip.network.model: name a CLIP of `wsss models list`, or an ONNX file with finetune_clip.network.encoder")
	}
	paths, err := p.filesCLIP(ctx)
	if err != nil {
		return nil, err
	}
	m, sessions, err := p.openCLIP(ctx)
	if err != nil {
		return nil, err
	}
	defer sessions.Close()
	f.Encoder = paths[0]
	if text, err = cliptags.Prompts(ctx, m, val.Classes()); err != nil {
		return nil, err
	}
	err = p.stage(ctx, "CLIP without training", func(progress func(done, total int)) error {
		if t.ValZero, err = clip.ZeroShot(ctx, m, text, t.Val, progress); err == nil && t.Held != nil {
			t.HeldZero, err = clip.ZeroShot(ctx, m, text, t.Held, nil)
		}
		return err
	})
	return text, err
}

func (p *pipeline) fineTune(ctx context.Context, val data.Dataset, text [][]float32) (*multilabel.Result, error) {
	job := clip.Job{
		Dataset: p.ds, Split: p.cfg.Data.TrainSplit, Val: val, ValSplit: p.valSplitCLIP(),
		Config: p.cfg.FineTuneCLIP, Seed: p.cfg.Seed, OutDir: p.path("finetune"),
		ConfigHash: p.cfg.FineTuneHash(), Versions: versions(), Hashes: p.hashes,
		Log: func(line string) { p.say("  %s", line) }, Warn: func(line string) { p.alert("  %s", line) },
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
		err := updating.while(progress, func(progress func(done, total int)) (err error) {
			job.Progress = progress
			res, err = clip.Run(ctx, job)
			return err
		})
		if errors.Is(err, multilabel.ErrOtherRun) {
			return fmt.Errorf("%w; -set out=… keeps both", err)
		}
		return err
	})
	return res, err
}

// fineTuned is what fine-tuning came to, for OUT/finetune/result.json.
type fineTuned struct {
	*multilabel.Result
	Config  string        `json:"config"`  // hash of what it was trained by
	On      string        `json:"on"`      // dataset and split
	Classes []string      `json:"classes"` // after the background
	Judged  []clip.Judged `json:"judged"`
}

// judge measures the classifier, finds its thresholds and reports both.
func (p *pipeline) judge(ctx context.Context, l *cliptags.Labeler, t *clip.Trial, res *multilabel.Result) error {
	var judged []clip.Judged
	err := p.stage(ctx, "judge the classifier", func(progress func(done, total int)) (err error) {
		judged, err = clip.Judge(ctx, l, *t, p.cfg.FineTuneCLIP.Ensemble, progress)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out(), "\n%-24s %8s %8s %8s %10s %8s  on %d images\n", "mAP:", "VOC 2010", "VOC 2007", "plain", "precision", "recall", len(t.Val.IDs))
	for _, j := range judged {
		fmt.Fprintf(p.out(), "%-24s %8.2f %8.2f %8.2f %10.1f %8.1f\n", j.Name, 100*j.MAP, 100*j.MAP11, 100*j.MAPPlain, 100*j.Precision, 100*j.Recall)
	}
	fmt.Fprintf(p.out(), "classifier: %s, best after %d of %d updates\n", res.Classifier, res.BestStep, res.Steps)
	if err := files.WriteJSON(p.path("finetune", resultFile), fineTuned{res, p.cfg.FineTuneHash(), p.cfg.Data.Kind + " " + p.valSplitCLIP(), l.Classes[1:], judged}); err != nil {
		return err
	}
	return p.report(ctx, nil)
}

// resultFile is where a fine-tuning's numbers are, for the report.
const resultFile = "result.json"
