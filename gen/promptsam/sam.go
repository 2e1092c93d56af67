package promptsam

import (
	"context"
	"fmt"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/metrics"
	"wsss/data/weaken"
	"wsss/gen"
	"wsss/models/foundation/sam"
)

func init() {
	gen.RegisterOf("sam", gen.Spec{
		Doc:          "Segment Anything from boxes, points or scribbles",
		Weak:         []data.WeakKind{data.WeakBoxes, data.WeakPoints, data.WeakScribbles},
		NeedsBackend: true,
	}, gen.Of[pointOptions]{
		Decode: func(table map[string]any) (pointOptions, error) {
			return gen.Decode(table, defaultPoints(), pointOptions.check)
		},
		New:     newSAM,
		Needs:   func(o pointOptions) gen.Needs { return o.samOptions.needs() },
		Headers: checkSAM,
	})
}

// method prompts SAM with human labels. It is safe for concurrent use.
type method struct {
	engine *engine
	opts   pointOptions
	weak   data.WeakKind
	seed   int64
}

func newSAM(env gen.Env, o pointOptions) (_ gen.Method, err error) {
	m := &method{opts: o, weak: env.Weak, seed: env.Seed}
	if m.engine, err = m.opts.open(env.Backend); err != nil {
		return nil, err
	}
	if env.Weak == data.WeakBoxes && !m.engine.model.TakesBoxes() {
		return nil, fmt.Errorf("gen.weak = %q: %s", env.Weak, pointsOnly)
	}
	return m, m.engine.allows(m.opts)
}

// allows tells whether this SAM takes prompts of a kind.
func (e *engine) allows(o pointOptions) error {
	if o.Iterative && !e.model.TakesMasks() {
		return fmt.Errorf("gen.options.iterative: this SAM export takes no earlier masks; use one with Meta's decoder, such as mobile-sam")
	}
	return nil
}

// Weights maps the files that the masks depend on to their SHA-256.
func (m *method) Weights() map[string]string { return m.engine.hashes }

// Generate makes one mask per box, or one per class with points or strokes.
func (m *method) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	prompts, err := m.prompts(s)
	if err != nil || len(prompts) == 0 {
		return nil, err
	}
	return m.engine.masks(ctx, s, prompts, m.opts.Iterative)
}

// prompts turns the sample's labels into prompts.
func (m *method) prompts(s *data.Sample) ([]gen.Prompt, error) {
	switch weak := s.Weak; {
	case m.weak == data.WeakBoxes && weak.Boxes != nil:
		return boxPrompts(weak.Boxes), nil
	case m.weak == data.WeakPoints && weak.Points != nil:
		return m.opts.prompts(clicks(weak.Points), uint64(weaken.SeedFor(m.seed, s.ID)), "point"), nil
	case m.weak == data.WeakScribbles && weak.Scribbles != nil:
		return m.opts.prompts(strokePoints(weak.Scribbles, m.opts.Step), uint64(weaken.SeedFor(m.seed, s.ID)), "scribble"), nil
	}
	return nil, gen.Unlabelled(m.weak)
}

// boxPrompts asks for each box alone, as Jiang & Yang 2023 does (docs/sources.md §11.4). A box
// around a group is no object.
func boxPrompts(boxes []data.Box) []gen.Prompt {
	var list []gen.Prompt
	for _, b := range gen.Objects(boxes) {
		list = append(list, gen.Prompt{Class: b.Class, Box: &b, Source: "box", Score: 1})
	}
	return list
}

// masks runs the prompts. A prompt that gets an empty mask gives none.
func (e *engine) masks(ctx context.Context, s *data.Sample, prompts []gen.Prompt, iterative bool) ([]gen.Mask, error) {
	if s.Image == nil || s.Image.Rect.Empty() {
		return nil, fmt.Errorf("SAM needs the image, and it has no pixels")
	}
	emb, err := e.cache.Embed(ctx, e.model, imageproc.FromImage(s.Image))
	if err != nil {
		return nil, err
	}
	defer emb.Free()
	questions := make([]sam.Prompt, len(prompts))
	for i, p := range prompts {
		questions[i] = question(p)
	}
	if iterative {
		results, picks, err := e.model.Iterate(ctx, emb, questions, func(i int) sam.Choice { return e.pick(prompts[i]) })
		if err != nil {
			return nil, err
		}
		defer sam.Free(results)
		return e.picked(ctx, emb, prompts, results, picks)
	}
	results, err := e.model.Predict(ctx, emb, questions)
	if err != nil {
		return nil, err
	}
	defer sam.Free(results)
	return e.decide(ctx, emb, prompts, results)
}

// decide makes masks of the decoder's answers, choosing among each one's.
func (e *engine) decide(ctx context.Context, emb *sam.Embedding, prompts []gen.Prompt, results []sam.Result) ([]gen.Mask, error) {
	picks := make([]int, len(prompts))
	for i, r := range results {
		var err error
		if e.overlap && prompts[i].Box != nil {
			if picks[i], err = e.bestOverlap(ctx, emb, r, *prompts[i].Box); err != nil {
				return nil, err
			}
		} else if picks[i], err = r.Pick(e.pick(prompts[i])); err != nil {
			return nil, err
		}
	}
	return e.picked(ctx, emb, prompts, results, picks)
}

// picked makes masks of the chosen answers.
func (e *engine) picked(ctx context.Context, emb *sam.Embedding, prompts []gen.Prompt, results []sam.Result, picks []int) ([]gen.Mask, error) {
	prompts, results, picks = e.present(prompts, results, picks)
	asked := make([]sam.Asked, len(results))
	for i, r := range results {
		asked[i] = sam.Asked{Result: r, Mask: picks[i]}
		if box := prompts[i].Box; e.crop && box != nil {
			r := box.Rect() // a box around an object holds all of it
			asked[i].Inside = &r
		}
	}
	outlines, err := e.model.Outlines(ctx, emb, asked, 1, 0)
	if err != nil {
		return nil, err
	}
	var owner *ownership
	if e.maxLogit {
		if owner, err = owners(emb, prompts, asked); err != nil {
			return nil, err
		}
	}
	var masks []gen.Mask
	for i, o := range outlines {
		if o.Bits.Area() == 0 {
			continue
		}
		masks = append(masks, gen.Mask{
			Class: prompts[i].Class, Bits: o.Bits, From: prompts[i],
			Score: min(max(results[i].IoU[picks[i]], 0), 1) * prompts[i].Score, Stability: o.Stability,
		})
	}
	return owner.trim(masks), nil
}

// present leaves out prompts at which SAM sees no object. Those of a person stay:
// somebody saw one.
func (e *engine) present(prompts []gen.Prompt, results []sam.Result, picks []int) (p []gen.Prompt, r []sam.Result, k []int) {
	for i := range prompts {
		if float64(results[i].Object) >= e.object || prompts[i].Source == gen.SourceReview {
			p, r, k = append(p, prompts[i]), append(r, results[i]), append(k, picks[i])
		}
	}
	return p, r, k
}

// bestOverlap is the multimask output whose own box has the highest IoU with
// the prompt's, the earliest of equals.
func (e *engine) bestOverlap(ctx context.Context, emb *sam.Embedding, r sam.Result, box data.Box) (int, error) {
	list := r.Multimask()
	asked := make([]sam.Asked, len(list))
	for k, i := range list {
		asked[k] = sam.Asked{Result: r, Mask: i}
	}
	outlines, err := e.model.Outlines(ctx, emb, asked, 1, 0)
	if err != nil {
		return 0, err
	}
	best, top := list[0], -1.0
	for k, o := range outlines {
		bounds := o.Bits.Bounds()
		own := data.Box{X0: float32(bounds.Min.X), Y0: float32(bounds.Min.Y), X1: float32(bounds.Max.X), Y1: float32(bounds.Max.Y)}
		if iou := metrics.BoxIoU(own, box); iou > top {
			best, top = list[k], iou
		}
	}
	return best, nil
}

// pick is the configured choice, else token 0 for boxes, which leave no doubt,
// and the third mask for points, mostly the whole object (docs/sources.md §2.1, §3.3).
func (e *engine) pick(p gen.Prompt) sam.Choice {
	switch {
	case e.choice != "":
		return e.choice
	case p.Box != nil:
		return sam.Single
	}
	return sam.Third
}

// question is the prompt as SAM takes it: points of another class than the
// prompt's are background.
func question(p gen.Prompt) sam.Prompt {
	q := sam.Prompt{Box: p.Box}
	for _, pt := range p.Points {
		q.Points = append(q.Points, sam.Point{X: float64(pt.X), Y: float64(pt.Y), Background: pt.Class != p.Class})
	}
	return q
}
