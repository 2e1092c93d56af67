package review

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"net/http"
	"slices"
	"sync"

	"wsss/data/corrections"
)

// editing applies the changes of one request.
type editing struct {
	*Server
	picture *picture
	ctx     context.Context
	relabel bool // the label below the painted pixels is another one now
}

// apply changes a correction. A change after a label was accepted takes the
// acceptance back: nobody has seen what it led to.
func (e *editing) apply(c *corrections.Correction, ops []op) error {
	var layer *corrections.Layer
	flush := func() {
		if layer != nil {
			c.SetLayer(layer)
			layer = nil
		}
	}
	for i := range ops {
		o := &ops[i]
		if o.Verdict == nil && c.Verdict != corrections.Open {
			c.Verdict, c.Accepted, e.relabel = corrections.Open, nil, true
		}
		var err error
		switch {
		case o.Paint != nil:
			if layer == nil {
				layer = c.Layer()
			}
			var ch corrections.Change
			if ch, err = o.change(); err == nil {
				err = layer.Apply(ch, e.Dataset.Classes().Len())
			}
		case o.Verdict != nil:
			flush()
			err = e.judge(c, *o.Verdict)
		case o.Tag != nil:
			flush()
			err = e.tag(c, *o.Tag)
		default:
			flush()
			err = e.prompt(c, o)
		}
		if err != nil {
			return refuseUnlessMarked(fmt.Errorf("ops[%d]: %w", i, err))
		}
	}
	flush()
	if c.Prompted && sameSet(c.Prompts, e.picture.weak) { // all of it was undone
		c.Prompted, c.Prompts = false, nil
	}
	return nil
}

// sameSet tells whether two lists hold the same prompts, in any order.
func sameSet(a, b []corrections.Prompt) bool {
	sorted := func(list []corrections.Prompt) []corrections.Prompt {
		return slices.SortedFunc(slices.Values(list), func(p, q corrections.Prompt) int { return cmp.Compare(p.ID, q.ID) })
	}
	return slices.EqualFunc(sorted(a), sorted(b), corrections.Prompt.Equal)
}

func refuseUnlessMarked(err error) error {
	var internal internalError
	if errors.As(err, &internal) {
		return err
	}
	return refuse(http.StatusBadRequest, err)
}

// internalError is no fault of the page.
type internalError struct{ error }

func (e *editing) judge(c *corrections.Correction, v corrections.Verdict) error {
	switch v {
	case corrections.Open, corrections.Rejected:
		c.Verdict, c.Accepted = v, nil
	case corrections.Accepted:
		c.Verdict, c.Accepted = corrections.Open, nil
		label, err := e.picture.full(e.ctx, c)
		if err != nil {
			return internalError{err}
		}
		c.Paint(label)
		c.Accept(label)
	default:
		return fmt.Errorf("verdict %.40q: allowed are %q, %q and none", v, corrections.Accepted, corrections.Rejected)
	}
	e.relabel = true
	return nil
}

func (e *editing) tag(c *corrections.Correction, t wireTag) error {
	if t.Class < 1 || t.Class >= e.Dataset.Classes().Len() {
		return fmt.Errorf("tag of class %d: allowed are 1..%d", t.Class, e.Dataset.Classes().Len()-1)
	}
	has := func(p corrections.Prompt) bool { return p.Class == t.Class }
	if !t.On && slices.ContainsFunc(e.picture.prompts(c), has) {
		return fmt.Errorf("%s has objects in the image: remove these first", e.Dataset.Classes().Name(t.Class))
	}
	c.Tag(e.picture.tags, t.Class, t.On)
	e.relabel = true
	return nil
}

func (e *editing) prompt(c *corrections.Correction, o *op) error {
	e.relabel = true
	if !c.Prompted {
		c.Prompted, c.Prompts = true, slices.Clone(e.picture.prompts(c))
	}
	size, classes := image.Pt(c.W, c.H), e.Dataset.Classes()
	switch {
	case o.Prompts != nil:
		c.Prompts = nil
		for _, w := range *o.Prompts {
			p, err := w.prompt()
			if err == nil {
				err = p.Check(size, classes)
			}
			if err != nil {
				return err
			}
			c.Prompts = append(c.Prompts, p)
		}
	case o.Prompt != nil:
		p, err := o.Prompt.prompt()
		if err == nil {
			err = p.Check(size, classes)
		}
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(c.Prompts, func(q corrections.Prompt) bool { return q.ID == p.ID }); i >= 0 {
			c.Prompts[i] = p
		} else {
			c.Prompts = append(c.Prompts, p)
		}
	case o.Remove != nil:
		c.Prompts = slices.DeleteFunc(c.Prompts, func(q corrections.Prompt) bool { return q.ID == *o.Remove })
	default:
		return errors.New("it names no change")
	}
	if len(c.Prompts) > corrections.MaxPrompts {
		return fmt.Errorf("%d prompts: at most %d are allowed", len(c.Prompts), corrections.MaxPrompts)
	}
	return nil
}

// times collects how long labels took, from the request to the answer.
type times struct {
	mu     sync.Mutex
	millis []float64
}

func (t *times) add(ms float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.millis = append(t.millis, ms)
}

// Quantile of the milliseconds from a click or box to its mask, and how many
// there were.
func (s *Server) Quantile(q float64) (ms float64, n int) {
	s.times.mu.Lock()
	defer s.times.mu.Unlock()
	n = len(s.times.millis)
	if n == 0 {
		return 0, 0
	}
	sorted := slices.Sorted(slices.Values(s.times.millis))
	return sorted[min(n-1, int(q*float64(n)))], n
}
