package promptsam

import (
	"context"
	"fmt"
	"image"

	"wsss/configs"
	"wsss/data"
	"wsss/data/weaken"
	"wsss/gen"
	"wsss/models/foundation/gdino"
	"wsss/models/foundation/imageproc"
	"wsss/models/foundation/sam"
)

func init() {
	gen.Register("sam", gen.Spec{
		Doc:          "Segment Anything from boxes, points or scribbles",
		Weak:         []data.WeakKind{data.WeakBoxes, data.WeakPoints, data.WeakScribbles},
		NeedsBackend: true,
		New:          newSAM,
		Needs:        needsSAM,
		Check:        checkSAM,
	})
}

// method prompts SAM with human labels. It is safe for concurrent use.
type method struct {
	engine *engine
	opts   pointOptions
	weak   data.WeakKind
	seed   int64
}

func newSAM(env gen.Env) (gen.Method, error) {
	m := &method{opts: defaultPoints(), weak: env.Weak, seed: env.Seed}
	if err := configs.Decode("gen.options", env.Gen.Options, &m.opts); err != nil {
		return nil, err
	}
	if err := m.opts.check(); err != nil {
		return nil, err
	}
	var err error
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
	for _, b := range boxes {
		if b.Class == 0 || b.Crowd {
			continue
		}
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
	questions := make([]sam.Prompt, len(prompts))
	for i, p := range prompts {
		questions[i] = question(p)
	}
	var results []sam.Result
	picks := make([]int, len(prompts))
	if iterative {
		for i, q := range questions {
			r, pick, err := e.model.Iterate(ctx, emb, q, e.pick(prompts[i]))
			if err != nil {
				return nil, err
			}
			results, picks[i] = append(results, r), pick
		}
	} else {
		if results, err = e.model.Predict(ctx, emb, questions); err != nil {
			return nil, err
		}
		return e.decide(emb, prompts, results)
	}
	return e.picked(emb, prompts, results, picks), nil
}

// decide makes masks of the decoder's answers, choosing among each one's.
func (e *engine) decide(emb *sam.Embedding, prompts []gen.Prompt, results []sam.Result) ([]gen.Mask, error) {
	picks := make([]int, len(prompts))
	for i, r := range results {
		var err error
		if e.overlap && prompts[i].Box != nil {
			picks[i] = bestOverlap(emb, r, *prompts[i].Box)
		} else if picks[i], err = r.Pick(e.pick(prompts[i])); err != nil {
			return nil, err
		}
	}
	return e.picked(emb, prompts, results, picks), nil
}

// picked makes masks of the chosen answers.
func (e *engine) picked(emb *sam.Embedding, prompts []gen.Prompt, results []sam.Result, picks []int) []gen.Mask {
	var masks []gen.Mask
	var owner *ownership
	if e.maxLogit {
		owner = newOwnership(emb.W, emb.H)
	}
	for i, r := range results {
		logits := emb.Upscale(r.Low[picks[i]], r.LowSide)
		if box := prompts[i].Box; e.crop && box != nil {
			cropTo(logits, emb.W, box.Rect())
		}
		bits := data.EncodeRLE(sam.Threshold(logits), emb.W, emb.H)
		owner.add(prompts[i].Class, logits)
		if bits.Area() == 0 {
			continue
		}
		masks = append(masks, gen.Mask{
			Class: prompts[i].Class, Bits: bits, From: prompts[i],
			Score: min(max(r.IoU[picks[i]], 0), 1) * prompts[i].Score, Stability: sam.Stability(logits, 1),
		})
	}
	return owner.trim(masks)
}

// never is a logit that no mask contains.
const never = -1e6

// cropTo leaves nothing outside r: a box around an object holds all of it.
func cropTo(logits []float32, w int, r image.Rectangle) {
	for i := range logits {
		if !image.Pt(i%w, i/w).In(r) {
			logits[i] = never
		}
	}
}

// bestOverlap is the multimask output whose own box has the highest IoU with
// the prompt's, the earliest of equals.
func bestOverlap(emb *sam.Embedding, r sam.Result, box data.Box) int {
	list := r.Multimask()
	best, top := list[0], float32(-1)
	for _, i := range list {
		bounds := data.EncodeRLE(sam.Threshold(emb.Upscale(r.Low[i], r.LowSide)), emb.W, emb.H).Bounds()
		own := data.Box{X0: float32(bounds.Min.X), Y0: float32(bounds.Min.Y), X1: float32(bounds.Max.X), Y1: float32(bounds.Max.Y)}
		if iou := gdino.IoU(own, box); iou > top {
			best, top = i, iou
		}
	}
	return best
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
