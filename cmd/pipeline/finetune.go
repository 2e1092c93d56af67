package pipeline

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

// fineTuneWhole trains the classifier and judges it.
func (p *Run) fineTuneWhole(ctx context.Context, val data.Dataset) (*cliptags.Labeler, error) {
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
	b, err := p.OpenBackend()
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

// TagOptions say which images get labels by a fine-tuned CLIP, and how many.
type TagOptions struct {
	Split   string // of the validation dataset; "" = none
	Top     int    // so many best classes of every image; 0 = those above their thresholds
	AtLeast int    // the least number of classes of an image
}

// FineTuneAndTag is the whole of `wsss finetune-clip`: it trains the classifier,
// judges it, and writes OUT/finetune/tags-SPLIT.csv, which data.options.tags takes.
func (p *Run) FineTuneAndTag(ctx context.Context, o TagOptions) (err error) {
	val, err := p.validationData()
	if err != nil {
		return err
	}
	l, err := p.fineTuneWhole(ctx, val)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if o.Split == "" {
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
	l.Top, l.AtLeast = o.Top, o.AtLeast
	tags := p.Path("finetune", "tags-"+o.Split+".csv")
	err = p.Step(ctx, "label "+o.Split, func(progress func(done, total int)) error {
		return l.WriteTags(ctx, val, o.Split, tags, progress)
	})
	if err == nil {
		p.Say("labels in %s: data.options.tags takes them", files.Address(tags))
	}
	return err
}

// trial reads the labels of the images that the classifier is judged on, and of
// those of the training that are held out for its thresholds.
func (p *Run) trial(val data.Dataset) (t *clip.Trial, err error) {
	f := p.Config.FineTuneCLIP
	t = &clip.Trial{Beta: f.Beta}
	if t.Val, err = multilabel.ReadSplit(val, p.valSplitCLIP(), "ignore"); err != nil {
		return nil, err
	}
	if f.Calibrate > 0 {
		all, err := multilabel.ReadSplit(p.Dataset, p.Config.Data.TrainSplit, f.Unknown)
		if err != nil {
			return nil, err
		}
		t.Held, _ = all.HoldOut(f.Calibrate, p.Config.Seed)
	}
	return t, nil
}

// validationData is the dataset that fine-tuning is judged on, where it is not
// that of the run.
func (p *Run) validationData() (data.Dataset, error) {
	v := p.Config.FineTuneCLIP.Val
	if v == nil {
		return p.Dataset, nil
	}
	ds, err := OpenData(*v, p.Config.Seed)
	if err != nil {
		return nil, UsageError{Err: fmt.Errorf("[finetune_clip.val]: %w", err)}
	}
	return ds, nil
}

// valSplitCLIP is the split that fine-tuning is judged on.
func (p *Run) valSplitCLIP() string {
	if v := p.Config.FineTuneCLIP.Val; v != nil {
		return v.ValSplit
	}
	return p.Config.Data.ValSplit
}

// openCLIP loads the model that the config names.
func (p *Run) openCLIP(ctx context.Context) (*foundation.Model, load.Closer, error) {
	paths, err := p.filesCLIP(ctx)
	if err != nil {
		return nil, nil, err
	}
	b, err := p.OpenBackend()
	if err != nil {
		return nil, nil, err
	}
	return load.CLIP(b, paths[0], paths[1], paths[2], load.Options{})
}

func (p *Run) filesCLIP(ctx context.Context) (paths []string, err error) {
	store, err := manifest.Open("")
	if err != nil {
		return nil, err
	}
	for _, role := range []string{"vision", "text", "merges"} {
		path, err := store.File(ctx, p.Config.FineTuneCLIP.Model, role)
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
func (p *Run) findCLIP(ctx context.Context, val data.Dataset, t *clip.Trial) (text [][]float32, err error) {
	f := &p.Config.FineTuneCLIP
	if f.Encoder != "" {
		return nil, nil
	}
	if f.Model == "" {
		return nil, Usagef("finetune-clip: the config has no finetune_clip.network.model: name a CLIP of `wsss models list`, or an ONNX file with finetune_clip.network.encoder")
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
	err = p.Step(ctx, "CLIP without training", func(progress func(done, total int)) error {
		if t.ValZero, err = clip.ZeroShot(ctx, m, text, t.Val, progress); err == nil && t.Held != nil {
			t.HeldZero, err = clip.ZeroShot(ctx, m, text, t.Held, nil)
		}
		return err
	})
	return text, err
}

func (p *Run) fineTune(ctx context.Context, val data.Dataset, text [][]float32) (*multilabel.Result, error) {
	job := clip.Job{
		Dataset: p.Dataset, Split: p.Config.Data.TrainSplit, Val: val, ValSplit: p.valSplitCLIP(),
		Config: p.Config.FineTuneCLIP, Seed: p.Config.Seed, OutDir: p.Path("finetune"),
		ConfigHash: p.Config.FineTuneHash(), Versions: Versions(), Hashes: p.hashes,
		Log: func(line string) { p.Say("  %s", line) }, Warn: func(line string) { p.Alert("  %s", line) },
	}
	if p.Config.FineTuneCLIP.Head == "text" {
		job.Text = text
	}
	var err error
	if job.Backend, err = p.OpenBackend(); err != nil {
		return nil, err
	}
	var res *multilabel.Result
	err = p.Step(ctx, "fine-tune CLIP", func(progress func(done, total int)) error {
		err := Updating.while(progress, func(progress func(done, total int)) (err error) {
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
func (p *Run) judge(ctx context.Context, l *cliptags.Labeler, t *clip.Trial, res *multilabel.Result) error {
	var judged []clip.Judged
	err := p.Step(ctx, "judge the classifier", func(progress func(done, total int)) (err error) {
		judged, err = clip.Judge(ctx, l, *t, p.Config.FineTuneCLIP.Ensemble, progress)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out(), "\n%-24s %8s %8s %8s %10s %8s  on %d images\n", "mAP:", "VOC 2010", "VOC 2007", "plain", "precision", "recall", len(t.Val.IDs))
	for _, j := range judged {
		fmt.Fprintf(p.out(), "%-24s %8.2f %8.2f %8.2f %10.1f %8.1f\n", j.Name, 100*j.MAP, 100*j.MAP11, 100*j.MAPPlain, 100*j.Precision, 100*j.Recall)
	}
	fmt.Fprintf(p.out(), "classifier: %s, best after %d of %d updates\n", files.Address(res.Classifier), res.BestStep, res.Steps)
	if err := files.WriteJSON(p.Path("finetune", resultFile), fineTuned{res, p.Config.FineTuneHash(), p.Config.Data.Kind + " " + p.valSplitCLIP(), l.Classes[1:], judged}); err != nil {
		return err
	}
	return p.Report(ctx, nil)
}

// resultFile is where a fine-tuning's numbers are, for the report.
const resultFile = "result.json"
