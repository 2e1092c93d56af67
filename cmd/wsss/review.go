package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"wsss/data"
	"wsss/data/corrections"
	"wsss/eval"
	"wsss/eval/review"
	"wsss/gen"
)

func init() {
	register(command{name: "review", short: "look at labels in the browser and correct them", run: runReview})
}

const reviewIntro = `
wsss review serves a page on this machine (127.0.0.1, with a random token in
its address) that shows the images in the order of expected gain: doubtful
labels, that the network gets wrong, of rare classes first. Draw boxes, click
into objects and out of them, scribble, paint, erase, fill; accept, reject. A
click or box asks the config's model (SAM where it has one, else GrabCut).

Every change is saved at once, as a file in the folder corrections below
data.root (data.corrections names another). gen, train and eval take them up:
corrected pixels outrank every method, corrected prompts are asked again.

  wsss review -config my.toml
  wsss init -classes "scratch,dent" -weak boxes photos     from nothing: then draw
  wsss review -config photos.toml`

func runReview(ctx context.Context, args []string) error {
	f := newFlags("review", reviewIntro).withConfig()
	port := f.Int("port", 0, "`port` of 127.0.0.1; 0 = any that is free")
	split := f.String("split", "", "review this `split` instead of data.train_split")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *port < 0 || *port > 65535 {
		return usagef("review: -port %d: allowed are 0..65535", *port)
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	o, err := p.reviewOptions(ctx, *split)
	if err != nil {
		return err
	}
	server := review.New(*o)
	l, err := server.Listen(*port)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "review %d images: open  %s\n", len(o.Queue), server.URL())
	p.say("corrections are kept in %s; clicks and boxes ask %s; Ctrl-C ends", o.Dataset.Folder.Dir, o.Model)
	err = server.Serve(ctx, l)
	if text := server.Summary(); text != "" {
		p.say("%s; `wsss run` with this config takes them up", text)
	}
	if n, of := server.Quantile(0.5); of > 0 {
		late, _ := server.Quantile(0.95)
		p.say("from click to mask: median %.0f ms, 95 %% within %.0f ms, of %d", n, late, of)
	}
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C is how it ends
	}
	return err
}

// reviewOptions is what the config's run has to review.
func (p *pipeline) reviewOptions(ctx context.Context, split string) (*review.Options, error) {
	ds, ok := p.ds.(*corrections.Dataset)
	if !ok {
		return nil, usagef("review: data.corrections = \"none\" leaves no place for corrections")
	}
	if split == "" {
		split = p.cfg.Data.TrainSplit
	}
	ids, err := p.ds.IDs(split)
	if err != nil {
		return nil, usageError{err}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("split %q has no images", split)
	}
	o := &review.Options{Dataset: ds, Weak: data.WeakKind(p.cfg.Gen.Weak), Log: func(line string) { p.say("%s", line) }}
	dir, ok := p.trainLabels()
	o.Ours = ok && dir == p.labelsDir()
	if ok {
		o.LabelsDir = dir
	}
	if o.Fuser, err = gen.NewFuser(p.cfg.Gen.Fuse, ds.Classes()); err != nil {
		return nil, p.wrong(labeller{"", p.cfg.Gen}, err)
	}
	if err := p.reviewModel(o); err != nil {
		return nil, err
	}
	o.Queue, err = review.Order(ctx, review.Evidence{
		Dataset: ds, IDs: ids, LabelsDir: o.LabelsDir, ClassIoU: p.classIoU(),
		Predictions: p.path("predictions", fileName(netTitle(netPseudo)+" on "+split)),
	})
	return o, err
}

// reviewModel makes what answers clicks and boxes: the config's method where it
// can, else GrabCut. A method that lacks its weights does not keep anyone from
// drawing.
func (p *pipeline) reviewModel(o *review.Options) error {
	l := labeller{"", p.cfg.Gen}
	if _, err := p.needs([]labeller{l}); err != nil {
		return err
	}
	method, env, err := p.methodIn(l)
	if err != nil {
		p.alert("note: %s cannot be used here, and GrabCut answers instead: %v", p.cfg.Gen.Method, err)
		method, env = nil, gen.Env{Classes: p.ds.Classes(), Seed: p.cfg.Seed}
	}
	o.Method = method
	o.Prompter, o.Model, err = gen.PrompterOf(method, p.cfg.Gen.Method, env)
	return err
}

// classIoU is how well the run's network knows each class, as far as it was
// scored.
func (p *pipeline) classIoU() []float64 {
	raw, err := os.ReadFile(p.path("results", fileName(netTitle(netPseudo))+".json"))
	if err != nil {
		return nil
	}
	var r eval.Result
	if json.Unmarshal(raw, &r) != nil || len(r.Classes) != p.ds.Classes().Len() {
		return nil
	}
	var ious []float64
	for _, v := range r.IoU {
		ious = append(ious, float64(v))
	}
	return ious
}
