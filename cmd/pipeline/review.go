package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/data/words"
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

// ExportDoubtful writes the labels of the n most doubtful images (mostDoubtful) into a
// folder, in a format of review.TripFormats, with their photos.
func (p *Run) ExportDoubtful(ctx context.Context, dir, format string, n int) error {
	trip, err := p.Trip()
	if err != nil {
		return err
	}
	ids, err := p.mostDoubtful(ctx, n)
	if err != nil {
		return err
	}
	if err := trip.Export(ctx, dir, format, ids); err != nil {
		return err
	}
	p.Print("%s: %s, photos in %s\n", dir, words.Count(len(ids), "image with its labels", "images with their labels"), filepath.Join(dir, "images"))
	return nil
}

// Import takes up labels that were changed in a labelling tool, from what it wrote; ""
// is the format of the export.
func (p *Run) Import(ctx context.Context, from, format string) error {
	trip, err := p.Trip()
	if err != nil {
		return err
	}
	in, err := trip.Import(ctx, from, format)
	if err != nil {
		return err
	}
	p.Print("%v\n", in)
	for _, id := range in.Changed {
		p.Say("  %s", id)
	}
	return nil
}

// mostDoubtful lists the n images of the training split with the highest
// expected gain that nobody has judged; 0 = all of them.
func (p *Run) mostDoubtful(ctx context.Context, n int) ([]string, error) {
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

// Review shows a split, "" for that of training, in the browser, on a port of
// 127.0.0.1 (0 = any that is free), until ctx ends.
func (p *Run) Review(ctx context.Context, split string, port int) error {
	o, err := p.ReviewOptions(ctx, split)
	if err != nil {
		return err
	}
	server := review.New(*o)
	l, err := server.Listen(port)
	if err != nil {
		return err
	}
	p.Print("review %s: open  %s\n", words.Plural(len(o.Queue), "image"), server.URL())
	p.Say("corrections are kept in %s; clicks and boxes ask %s; Ctrl-C ends", files.Address(o.Dataset.Folder.Dir), o.Model)
	err = server.Serve(ctx, l)
	if text := server.Summary(); text != "" {
		p.Say("%s; `wsss run` with this config takes them up", text)
	}
	if n, of := server.Quantile(0.5); of > 0 {
		late, _ := server.Quantile(0.95)
		p.Say("from click to mask: median %.0f ms, 95 %% within %.0f ms, of %d", n, late, of)
	}
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C is how it ends
	}
	return err
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
