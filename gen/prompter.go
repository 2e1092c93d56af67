package gen

import (
	"context"
	"fmt"
	"image"
	"sync"

	"wsss/configs"
	"wsss/data"
	"wsss/data/corrections"
)

// Prompter answers prompts of one object each: a box, points in and out of it,
// or both. Corrected prompts go to it, one by one, whatever form of label the
// method works from. A Method that can do so implements it.
type Prompter interface {
	// Look computes what is the same for all prompts on an image.
	Look(ctx context.Context, s *data.Sample) (Looked, error)
}

// Looked is an image that a Prompter has looked at. It is safe for concurrent
// use.
type Looked interface {
	// Mask answers a prompt, of any class. Points of another class than the
	// prompt's lie out of the object. A prompt may get an empty mask.
	Mask(ctx context.Context, p Prompt) (Mask, error)
}

// Drafter is a Looked that has a quicker answer for somebody who waits: Mask's
// object, whose outline may differ by a pixel here and there.
type Drafter interface {
	Draft(ctx context.Context, p Prompt) (Mask, error)
}

// promptMethod answers prompts where the run's method cannot.
const promptMethod = "grabcut"

// PrompterOf is what answers corrected prompts in a run: its method, where that
// can, else GrabCut. The name is the registered one.
func PrompterOf(method Method, name string, env Env) (Prompter, string, error) {
	if p, ok := method.(Prompter); ok {
		return p, name, nil
	}
	env.Weak, env.Gen = data.WeakBoxes, configs.Gen{Method: promptMethod, Weak: string(data.WeakBoxes)}
	m, err := New(env)
	if err != nil {
		return nil, "", err
	}
	return m.(Prompter), promptMethod, nil
}

// SourceReview marks prompts and masks that a person made in review.
const SourceReview = "review"

// promptOf is a corrected prompt as a Prompter takes it.
func promptOf(p *corrections.Prompt) Prompt {
	q := Prompt{Class: p.Class, Source: SourceReview, Score: 1}
	if b := p.Box; b != nil {
		q.Box = &data.Box{X0: b.X0, Y0: b.Y0, X1: b.X1, Y1: b.Y1, Class: p.Class}
	}
	other := 0
	if p.Class == 0 {
		other = 1
	}
	for _, c := range p.Clicks() {
		t := data.Point{X: c.X, Y: c.Y, Class: p.Class}
		if c.Out {
			t.Class = other
		}
		q.Points = append(q.Points, t)
	}
	return q
}

// Answer makes the mask of a corrected prompt.
func Answer(ctx context.Context, on Looked, p *corrections.Prompt) (Mask, error) {
	m, err := on.Mask(ctx, promptOf(p))
	if err != nil {
		return m, fmt.Errorf("prompt %q: %w", p.ID, err)
	}
	return m, nil
}

// Draft makes the mask of a corrected prompt as quickly as the prompter can.
func Draft(ctx context.Context, on Looked, p *corrections.Prompt) (Mask, error) {
	d, ok := on.(Drafter)
	if !ok {
		return Answer(ctx, on, p)
	}
	m, err := d.Draft(ctx, promptOf(p))
	if err != nil {
		return m, fmt.Errorf("prompt %q: %w", p.ID, err)
	}
	return m, nil
}

// Prompted tells whether a form of label says where each object is, so that
// corrected prompts take the place of everything that the method would find.
func Prompted(kind data.WeakKind) bool {
	return kind == data.WeakBoxes || kind == data.WeakPoints || kind == data.WeakScribbles
}

// OverPrompts fuses the masks of corrected prompts, and lays them over what the
// method found by itself; nil where it works from prompts alone.
func OverPrompts(fuser Fuser, size image.Point, masks []Mask, under *data.LabelMap) (*data.LabelMap, error) {
	top, err := fuser.Fuse(size, masks)
	if err != nil || under == nil {
		return top, err
	}
	out := under.Clone()
	for _, m := range masks {
		m.Bits.Each(func(x, y0, y1 int) {
			for y := y0; y < y1; y++ {
				out.Pix[y*out.W+x] = top.Pix[y*top.W+x]
			}
		})
	}
	return out, nil
}

// prompters makes the run's prompter on first use.
func (o *RunOptions) prompters() func() (Prompter, error) {
	return sync.OnceValues(func() (Prompter, error) {
		p, _, err := PrompterOf(o.Method, o.Name, o.Env)
		return p, err
	})
}
