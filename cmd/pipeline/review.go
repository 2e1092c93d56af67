package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"wsss/data"
	"wsss/data/corrections"
	"wsss/eval"
	"wsss/eval/review"
	"wsss/gen"
)

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
	o.Queue, err = review.Order(ctx, review.Evidence{
		Dataset: ds, IDs: ids, LabelsDir: o.LabelsDir, ClassIoU: p.classIoU(),
		Predictions: p.Path("predictions", FileName(NetTitle(NetPseudo)+" on "+split)),
	})
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
	raw, err := os.ReadFile(p.Path("results", FileName(NetTitle(NetPseudo))+".json"))
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
