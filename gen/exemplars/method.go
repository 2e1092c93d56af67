// Package exemplars holds the gen method "exemplars": boxes on a few photos find
// the other objects of their classes, on all photos, by OWLv2 or by the features
// of any frozen network; another method cuts them out of their boxes.
package exemplars

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"wsss/configs"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/metrics"
	"wsss/gen"
)

func init() {
	gen.RegisterOf("exemplars", gen.Spec{
		Doc:          "boxes on a few photos find the objects of their classes on all, by OWLv2 or by features of a frozen network; GrabCut or Segment Anything cuts them out",
		Weak:         []data.WeakKind{data.WeakExemplars},
		NeedsBackend: true,
	}, gen.Of[options]{
		Decode: func(table map[string]any) (options, error) { return gen.Decode(table, defaults(), options.check) },
		New:    newMethod,
		Inner:  func(o options) []configs.Gen { return []configs.Gen{o.inner()} },
		Needs:  options.needs,
	})
}

// found is an object in a photo.
type found struct {
	box   data.Box
	score float32 // in 0..1
	like  int     // the exemplar that it is most like
}

// finder finds objects. Between begin and ready, study is called for the photos of
// all exemplars, one by one; then find for any.
type finder interface {
	// begin forgets what was studied before.
	begin()
	// study learns what the boxes of a photo hold; the first of them has number
	// first among all exemplars, masks are what is cut out of them. It tells for
	// each box whether anything could be learnt of it.
	study(ctx context.Context, img *imageproc.RGB, boxes []data.Box, masks []data.RLE, first int) ([]bool, error)
	// ready ends studying.
	ready() error
	find(ctx context.Context, img *imageproc.RGB) ([]found, error)
	files() map[string]string
	// masked tells whether study wants masks.
	masked() bool
}

// method is the gen method. It is safe for concurrent use once it has learnt.
type method struct {
	opts   options
	env    gen.Env
	finder finder
	cutter gen.Method
	hashes map[string]string

	mu        sync.Mutex
	exemplars []exemplar // nil: nothing learnt yet
	path      string     // file that lists them
}

var (
	_ gen.Learner = (*method)(nil)
	_ gen.Reader  = (*method)(nil)
)

func newMethod(env gen.Env, o options) (gen.Method, error) {
	m := &method{opts: o, env: env, hashes: map[string]string{}}
	var err error
	if o.Find == byOWL {
		m.finder, err = openOWL(env.Backend, o.OWL)
	} else {
		m.finder, err = openAlike(env.Backend, o)
	}
	if err != nil {
		return nil, err
	}
	maps.Copy(m.hashes, m.finder.files())
	env.Weak, env.Gen = data.WeakBoxes, o.inner()
	if m.cutter, err = gen.New(env); err != nil {
		return nil, fmt.Errorf("[gen.options.masks] %w", err)
	}
	maps.Copy(m.hashes, gen.WeightsOf(m.cutter))
	if p, ok := m.cutter.(gen.Prompter); ok {
		return struct {
			*method
			gen.Prompter
		}{m, p}, nil
	}
	return m, nil
}

// Weights maps the files that the masks depend on to their SHA-256.
func (m *method) Weights() map[string]string { return m.hashes }

// InputFiles is the list of exemplars, so that labels are made anew where one of
// them changes, and what the masks' method reads (gen.Reader).
func (m *method) InputFiles(id string) ([]string, error) {
	list, err := gen.InputFiles(m.cutter, id)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.path != "" {
		list = append(slices.Clone(list), m.path)
	}
	return list, err
}

// Inputs describes the folders that the masks' method reads (gen.Reader).
func (m *method) Inputs() (map[string]string, error) {
	if r, ok := m.cutter.(gen.Reader); ok {
		return r.Inputs()
	}
	return nil, nil
}

// Generate finds the objects of a photo; boxes that it has itself stay as they
// are.
func (m *method) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	if s.Image == nil || s.Image.Rect.Empty() {
		return nil, errors.New("exemplars needs the image, and it has no pixels")
	}
	examples := m.learnt()
	if examples == nil {
		return nil, errors.New("exemplars are of a whole split, in wsss gen: single images have none")
	}
	list, err := m.finder.find(ctx, imageproc.FromImage(s.Image))
	if err != nil {
		return nil, err
	}
	own := gen.Objects(s.Weak.Boxes)
	list = m.opts.best(list, own)
	from, boxes := map[data.Box]found{}, slices.Clone(own)
	for _, f := range list {
		from[f.box] = f
		boxes = append(boxes, f.box)
	}
	if len(boxes) == 0 {
		return nil, nil
	}
	masks, err := m.cutter.Generate(ctx, &data.Sample{ID: s.ID, Image: s.Image, Weak: data.WeakLabels{Boxes: boxes}})
	if err != nil {
		return nil, err
	}
	for i, mask := range masks {
		if mask.From.Box == nil {
			continue
		}
		if f, ok := from[*mask.From.Box]; ok {
			masks[i].Score *= f.score
			masks[i].From.Source, masks[i].From.Score = "exemplar", f.score
			masks[i].VouchedBy = []gen.Voucher{{Photo: examples[f.like].Photo, Area: examples[f.like].area(), Similarity: f.score}}
		}
	}
	return masks, nil
}

// best lists what was found, the best first, less what overlaps a better one of
// its class, or one of the photo's own boxes.
func (o options) best(list []found, own []data.Box) (kept []found) {
	slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(b.score, a.score) })
	for _, f := range list {
		same := func(b data.Box) bool { return b.Class == f.box.Class && metrics.BoxIoU(b, f.box) > o.Overlap }
		if slices.ContainsFunc(own, same) || slices.ContainsFunc(kept, func(k found) bool { return same(k.box) }) {
			continue
		}
		if kept = append(kept, f); len(kept) == o.Most {
			break
		}
	}
	return kept
}
