package pipeline

import (
	"context"
	"encoding/json"
	"fmt"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/eval"
	"wsss/eval/review"
	"wsss/gen"
)

// Trip is the way of the run's labels to another tool and back.
func (p *Run) Trip() (*review.Trip, error) {
	ds, ok := p.Dataset.(*corrections.Dataset)
	if !ok {
		return nil, Usagef("data.corrections = \"none\" leaves no place for what comes back")
	}
	dir, _ := p.trainLabels()
	return &review.Trip{Dataset: ds, LabelsDir: dir, Kept: p.Path("exported")}, nil
}

// MostDoubtful lists the n images of the training split with the highest
// expected gain that nobody has judged; 0 = all of them.
func (p *Run) MostDoubtful(ctx context.Context, n int) ([]string, error) {
	ids, err := p.Dataset.IDs(p.Config.Data.TrainSplit)
	if err != nil {
		return nil, UsageError{Err: err}
	}
	queue, err := p.reviewQueue(ctx, p.Dataset.(*corrections.Dataset), ids, p.Config.Data.TrainSplit)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, it := range queue {
		c, _, err := corrections.Of(p.Dataset, it.ID)
		if err != nil {
			return nil, err
		}
		if (c == nil || c.Verdict == corrections.Open) && (n == 0 || len(out) < n) {
			out = append(out, it.ID)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("split %q has no image that was not judged in review", p.Config.Data.TrainSplit)
	}
	return out, nil
}

// reviewQueue orders images by expected gain.
func (p *Run) reviewQueue(ctx context.Context, ds *corrections.Dataset, ids []string, split string) ([]review.Item, error) {
	dir, _ := p.trainLabels()
	return review.Order(ctx, review.Evidence{
		Dataset: ds, IDs: ids, LabelsDir: dir, ClassIoU: p.classIoU(),
		Predictions: p.Path("predictions", FileName(NetTitle(NetPseudo)+" on "+split)),
	})
}

// ReviewOptions is what the config's run has to review.
func (p *Run) ReviewOptions(ctx context.Context, split string) (*review.Options, error) {
	ds, ok := p.Dataset.(*corrections.Dataset)
	if !ok {
		return nil, Usagef("review: data.corrections = \"none\" leaves no place for corrections")
	}
	if split == "" {
		split = p.Config.Data.TrainSplit
	}
	ids, err := p.Dataset.IDs(split)
	if err != nil {
		return nil, UsageError{Err: err}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("split %q has no images", split)
	}
	o := &review.Options{Dataset: ds, Weak: data.WeakKind(p.Config.Gen.Weak), Log: func(line string) { p.Say("%s", line) }}
	dir, ok := p.trainLabels()
	o.Ours = ok && dir == p.labelsDir()
	if ok {
		o.LabelsDir = dir
	}
	if o.Fuser, err = gen.NewFuser(p.Config.Gen.Fuse, ds.Classes()); err != nil {
		return nil, p.wrong(Labeller{"", p.Config.Gen}, err)
	}
	if err := p.reviewModel(o); err != nil {
		return nil, err
	}
	o.Queue, err = p.reviewQueue(ctx, ds, ids, split)
	return o, err
}

// reviewModel makes what answers clicks and boxes: the config's method where it
// can, else GrabCut. A method that lacks its weights does not keep anyone from
// drawing.
func (p *Run) reviewModel(o *review.Options) error {
	l := Labeller{"", p.Config.Gen}
	if _, err := p.needs([]Labeller{l}); err != nil {
		return err
	}
	method, env, err := p.methodIn(l)
	if err != nil {
		p.Alert("note: %s cannot be used here, and GrabCut answers instead: %v", p.Config.Gen.Method, err)
		method, env = nil, gen.Env{Classes: p.Dataset.Classes(), Seed: p.Config.Seed}
	}
	o.Method = method
	o.Prompter, o.Model, err = gen.PrompterOf(method, p.Config.Gen.Method, env)
	return err
}

// classIoU is how well the run's network knows each class, as far as it was
// scored.
func (p *Run) classIoU() []float64 {
	raw, err := files.ReadFile(p.Path("results", FileName(NetTitle(NetPseudo))+".json"))
	if err != nil {
		return nil
	}
	var r eval.Result
	if json.Unmarshal(raw, &r) != nil || len(r.Classes) != p.Dataset.Classes().Len() {
		return nil
	}
	var ious []float64
	for _, v := range r.IoU {
		ious = append(ious, float64(v))
	}
	return ious
}
