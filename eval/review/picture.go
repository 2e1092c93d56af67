package review

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"golang.org/x/image/draw"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/data/crash"
	"wsss/gen"
)

// previewSide is the longer side, pixels, that photos are seen at while
// somebody clicks; an accepted label is made at the photo's own size.
const previewSide = 1024

// picture is an image that is looked at. What follows from the photo and its
// prompts alone is computed once.
type picture struct {
	*Server
	id    string
	size  image.Point // of the photo
	scale float64     // of the preview

	mu     sync.Mutex
	sample *data.Sample // preview and weak labels, in the preview's pixels
	weak   []corrections.Prompt
	tags   []int // the image's own
	looked gen.Looked
	masks  map[string]gen.Mask       // by prompt
	found  *data.LabelMap            // what the method found by itself
	retold map[string]*data.LabelMap // what it finds from corrected tags
}

// open reads a photo and its weak labels.
func (s *Server) open(_ context.Context, id string) (*picture, error) {
	sample, err := s.Dataset.Dataset.Load(id, data.WantImage|data.WantWeak)
	if err != nil {
		return nil, err
	}
	p := &picture{Server: s, id: id, size: sample.Image.Rect.Size(), scale: 1, masks: map[string]gen.Mask{}, retold: map[string]*data.LabelMap{}}
	p.weak = corrections.FromWeak(clip(sample.Weak, p.size), s.Weak)
	p.tags = slices.Compact(slices.Sorted(slices.Values(sample.Weak.Tags)))
	if sample.Weak.Tags == nil {
		for _, q := range p.weak {
			p.tags = append(p.tags, q.Class)
		}
		p.tags = slices.Compact(slices.Sorted(slices.Values(p.tags)))
	}
	p.tags = append([]int{}, p.tags...)
	if long := max(p.size.X, p.size.Y); long > previewSide {
		p.scale = previewSide / float64(long)
		small := image.NewNRGBA(image.Rect(0, 0, max(1, int(float64(p.size.X)*p.scale)), max(1, int(float64(p.size.Y)*p.scale))))
		draw.ApproxBiLinear.Scale(small, small.Rect, sample.Image, sample.Image.Rect, draw.Src, nil)
		sample.Image = small
	}
	p.sample = sample
	return p, nil
}

// clip leaves out weak labels beyond the photo.
func clip(w data.WeakLabels, size image.Point) data.WeakLabels {
	fx, fy := float32(size.X), float32(size.Y)
	var boxes []data.Box
	for _, b := range w.Boxes {
		b.X0, b.Y0, b.X1, b.Y1 = max(b.X0, 0), max(b.Y0, 0), min(b.X1, fx), min(b.Y1, fy)
		if b.X0 < b.X1 && b.Y0 < b.Y1 {
			boxes = append(boxes, b)
		}
	}
	w.Boxes = boxes
	inside := func(x, y int) bool { return image.Pt(x, y).In(image.Rectangle{Max: size}) }
	w.Points = slices.DeleteFunc(slices.Clone(w.Points), func(p data.Point) bool { return !inside(p.X, p.Y) })
	var lines []data.Scribble
	for _, s := range w.Scribbles {
		s.Points = slices.DeleteFunc(slices.Clone(s.Points), func(p image.Point) bool { return !inside(p.X, p.Y) })
		if len(s.Points) > 0 {
			lines = append(lines, s)
		}
	}
	w.Scribbles = lines
	return w
}

// prompts are the image's, corrected or its own.
func (p *picture) prompts(c *corrections.Correction) []corrections.Prompt {
	if c.Prompted {
		return c.Prompts
	}
	return p.weak
}

// shown are the classes that the image shows.
func (p *picture) shown(c *corrections.Correction) []int { return c.TagsOf(p.tags) }

// retells tells whether the label is made anew because its tags were corrected,
// now or when it was made.
func (p *picture) retells(c *corrections.Correction) bool {
	if !p.Ours || p.Weak != data.WeakTags || p.Method == nil {
		return false
	}
	side := p.sidecar()
	return c.Tagged || side != nil && strings.Contains(side.Corrected, "tags")
}

// look computes what is the same for all prompts, once.
func (p *picture) look(ctx context.Context) (gen.Looked, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.looked != nil {
		return p.looked, nil
	}
	if p.Prompter == nil {
		return nil, errors.New("there is no model that answers clicks and boxes")
	}
	var err error
	p.looked, err = p.Prompter.Look(ctx, p.sample)
	return p.looked, err
}

// mask answers a prompt on the preview, once.
func (p *picture) mask(ctx context.Context, q *corrections.Prompt) (gen.Mask, error) {
	key := fmt.Sprint(q.Class, q.Box, q.Points, q.Strokes)
	if q.Box != nil {
		key += fmt.Sprint(*q.Box)
	}
	p.mu.Lock()
	m, ok := p.masks[key]
	p.mu.Unlock()
	if ok {
		return m, nil
	}
	on, err := p.look(ctx)
	if err != nil {
		return m, err
	}
	small := scaled(q, p.sample.Image.Rect.Size(), p.scale)
	if m, err = gen.Draft(ctx, on, &small); err != nil {
		return m, err
	}
	p.mu.Lock()
	p.masks[key] = m
	p.mu.Unlock()
	return m, nil
}

// foresee answers the prompts of changes while they are written to disk; the
// channel is closed when it is done.
func (p *picture) foresee(ctx context.Context, ops []op) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, o := range ops {
			if o.Prompt == nil {
				continue
			}
			q, err := o.Prompt.prompt()
			if err == nil && q.Check(p.size, p.Dataset.Classes()) == nil {
				_ = crash.Do(func() (err error) { _, err = p.mask(ctx, &q); return err }) // asked again, an error is told
			}
		}
	}()
	return done
}

// scaled brings a prompt to the preview's pixels.
func scaled(q *corrections.Prompt, size image.Point, f float64) corrections.Prompt {
	if f == 1 {
		return *q
	}
	out := corrections.Prompt{ID: q.ID, Class: q.Class}
	at := func(x, y int) (int, int) {
		return min(int((float64(x)+0.5)*f), size.X-1), min(int((float64(y)+0.5)*f), size.Y-1)
	}
	if b := q.Box; b != nil {
		out.Box = &corrections.Box{X0: b.X0 * float32(f), Y0: b.Y0 * float32(f), X1: min(b.X1*float32(f), float32(size.X)), Y1: min(b.Y1*float32(f), float32(size.Y))}
	}
	for _, t := range q.Points {
		t.X, t.Y = at(t.X, t.Y)
		out.Points = append(out.Points, t)
	}
	for _, s := range q.Strokes {
		k := corrections.Stroke{Out: s.Out}
		for _, t := range s.Line {
			x, y := at(t.X, t.Y)
			k.Line = append(k.Line, image.Pt(x, y))
		}
		out.Strokes = append(out.Strokes, k)
	}
	return out
}

// label is what painted pixels lie over, of the photo's or the preview's size,
// and what there is to say about it.
func (p *picture) label(ctx context.Context, c *corrections.Correction) (*data.LabelMap, string, error) {
	if c.Verdict == corrections.Accepted {
		return c.Label(), "", nil
	}
	if !c.Prompted && !p.retells(c) {
		if m, note, err := p.there(); m != nil || err != nil {
			if c.Tagged && p.Weak == data.WeakTags {
				note = "its tags were corrected: wsss gen makes the label again"
			}
			return m, note, err
		}
	}
	return p.made(ctx, c, func(q *corrections.Prompt) (gen.Mask, error) { return p.mask(ctx, q) }, p.sample.Image.Rect.Size())
}

// there is the label map on disk that no correction went into; nil for none.
func (p *picture) there() (*data.LabelMap, string, error) {
	if p.LabelsDir == "" {
		s, err := p.Dataset.Dataset.Load(p.id, data.WantTruth)
		if errors.Is(err, data.ErrNoTruth) {
			return nil, "", nil
		}
		if err != nil {
			return nil, "", err
		}
		return s.Truth, "the true mask", nil
	}
	m, err := p.openLabel(p.id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil || m.Size() != p.size {
		return nil, "", err // of another photo: made anew
	}
	if side := p.sidecar(); side != nil && side.Corrected != "" {
		return nil, "", nil
	}
	return m, "", nil
}

func (p *picture) sidecar() *gen.Sidecar {
	path, err := files.Join(p.LabelsDir, p.id+".json")
	if err != nil || !p.Ours {
		return nil
	}
	side, err := gen.ReadSidecar(path)
	if err != nil {
		return nil
	}
	return side
}

// made makes a label from prompts, over what the method finds by itself.
func (p *picture) made(ctx context.Context, c *corrections.Correction, answer func(q *corrections.Prompt) (gen.Mask, error), size image.Point) (*data.LabelMap, string, error) {
	under, note, err := p.under(ctx, c, size)
	if err != nil {
		return nil, "", err
	}
	prompts := p.prompts(c)
	if len(prompts) == 0 && under != nil {
		return under, note, nil
	}
	var masks []gen.Mask
	for i := range prompts {
		m, err := answer(&prompts[i])
		if err != nil {
			return nil, "", err
		}
		if m.Bits.Area() == 0 {
			note = "a prompt got an empty mask"
			continue
		}
		masks = append(masks, m)
	}
	label, err := gen.OverPrompts(p.Fuser, size, masks, under)
	return label, note, err
}

// under is what the method finds by itself: nil where it works from prompts
// alone.
func (p *picture) under(ctx context.Context, c *corrections.Correction, size image.Point) (*data.LabelMap, string, error) {
	if p.Ours && gen.Prompted(p.Weak) {
		if len(p.prompts(c)) > 0 || c.Prompted {
			return nil, "", nil
		}
		return data.NewLabelMap(size.X, size.Y), "not labelled yet", nil
	}
	find := p.byItself
	if p.retells(c) {
		find = func(ctx context.Context) (*data.LabelMap, error) { return p.fromTags(ctx, p.shown(c)) }
	}
	m, err := find(ctx)
	if err != nil {
		return nil, "", err
	}
	if m == nil {
		return data.NewLabelMap(size.X, size.Y), "not labelled yet", nil
	}
	return stretched(m, size), "", nil
}

// byItself is the label without any correction, of any size; nil for none.
func (p *picture) byItself(ctx context.Context) (*data.LabelMap, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	m, _, err := p.there()
	if err != nil || m != nil {
		p.found = m
		return m, err
	}
	if side := p.sidecar(); side != nil && side.Corrected != "accepted" && side.Width == p.size.X && side.Height == p.size.Y {
		var masks []gen.Mask
		for _, m := range side.Masks {
			if m.From.Source != gen.SourceReview {
				masks = append(masks, m.Mask)
			}
		}
		p.found, err = p.Fuser.Fuse(p.size, masks)
		return p.found, err
	}
	if !p.Ours || p.Method == nil || p.scale != 1 { // prompts of the photo's size are not the preview's
		return nil, nil
	}
	p.found, err = p.generate(ctx, p.sample)
	return p.found, err
}

// fromTags is what the method finds from corrected tags, of the photo's size;
// nil for none.
func (p *picture) fromTags(ctx context.Context, tags []int) (*data.LabelMap, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := fmt.Sprint(tags)
	if m, ok := p.retold[key]; ok {
		return m, nil
	}
	s, err := p.Dataset.Dataset.Load(p.id, data.WantImage|data.WantWeak)
	if err != nil {
		return nil, err
	}
	s.Weak.Tags = tags
	m, err := p.generate(ctx, s)
	if err == nil {
		if len(p.retold) >= inMemory {
			clear(p.retold)
		}
		p.retold[key] = m
	}
	return m, err
}

// generate asks the method; nil where it has no label.
func (p *picture) generate(ctx context.Context, s *data.Sample) (*data.LabelMap, error) {
	masks, err := p.Method.Generate(ctx, s)
	if errors.Is(err, gen.ErrUnlabelled) {
		return nil, nil
	}
	if err != nil {
		p.log("%s: %v", p.id, err)
		return nil, nil
	}
	return p.Fuser.Fuse(s.Image.Rect.Size(), masks)
}

// full is the label that is accepted, of the photo's size.
func (p *picture) full(ctx context.Context, c *corrections.Correction) (*data.LabelMap, error) {
	if !c.Prompted && !p.retells(c) {
		if m, _, err := p.there(); m != nil || err != nil {
			return m, err
		}
	}
	if p.scale == 1 || len(p.prompts(c)) == 0 {
		m, _, err := p.label(ctx, c)
		if err != nil {
			return nil, err
		}
		return stretched(m, p.size).Clone(), nil
	}
	s, err := p.Dataset.Dataset.Load(p.id, data.WantImage)
	if err != nil {
		return nil, err
	}
	on, err := p.Prompter.Look(ctx, s)
	if err != nil {
		return nil, err
	}
	m, _, err := p.made(ctx, c, func(q *corrections.Prompt) (gen.Mask, error) { return gen.Answer(ctx, on, q) }, p.size)
	return m, err
}

// stretched brings a label to a size by the nearest pixel.
func stretched(m *data.LabelMap, size image.Point) *data.LabelMap {
	if m.Size() == size {
		return m
	}
	out := data.NewLabelMap(size.X, size.Y)
	for y := range size.Y {
		row := m.Pix[(2*y+1)*m.H/(2*size.Y)*m.W:]
		for x := range size.X {
			out.Pix[y*size.X+x] = row[(2*x+1)*m.W/(2*size.X)]
		}
	}
	return out
}
