// Package retrieve holds the gen method "retrieve", which trains nothing: masks
// of anything are named by the most similar regions of a bank, by features of a
// frozen network (ModuSeg, arXiv 2604.07021; docs/sources.md §13). The bank is
// made of the labels of any other method, or of true or corrected masks.
package retrieve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/stages"
	"wsss/gen"
	"wsss/gen/segments"
	"wsss/gen/source"
	"wsss/models/foundation/features"
)

func init() {
	gen.RegisterOf("retrieve", gen.Spec{
		Doc:          "masks of anything (SAM, saliency, GrabCut, a folder) named by the most similar regions of a bank, which any method's labels or true masks fill; trains nothing",
		Weak:         data.Supervisions,
		NeedsBackend: true,
	}, gen.Of[options]{
		Decode: func(table map[string]any) (options, error) { return gen.Decode(table, defaults(), options.check) },
		New:    newMethod,
		Inner: func(o options) []configs.Gen {
			inner := o.From.Inner()
			for _, p := range o.Proposals {
				inner = append(inner, p.Inner()...)
			}
			return inner
		},
		// The bank is none: an earlier stage of the same run may make it.
		Needs: func(o options) gen.Needs {
			var n gen.Needs
			n.Add(gen.Needs{Models: []string{o.Features.Model}, Files: []string{o.Features.Network}})
			n.Add(o.From.Needs())
			for _, p := range o.Proposals {
				n.Add(p.Needs())
			}
			return n
		},
	})
}

// method is the gen method. It is safe for concurrent use once it has a bank.
type method struct {
	opts      options
	env       gen.Env
	net       *features.Network
	proposals []*segments.Source
	from      *source.Source // nil: the bank is a file
	hashes    map[string]string

	mu    sync.Mutex
	bank  *bank  // nil: not built yet
	path  string // its file
	built bool   // by Learn, from the photos of the run
}

var (
	_ gen.Learner = (*method)(nil)
	_ gen.Reader  = (*method)(nil)
	_ gen.Taught  = (*method)(nil)
)

func newMethod(env gen.Env, o options) (_ gen.Method, err error) {
	m := &method{opts: o, env: env, hashes: map[string]string{}}
	if m.net, err = o.Features.Open(env.Backend, "gen.options.features"); err != nil {
		return nil, err
	}
	maps.Copy(m.hashes, m.net.Files())
	for i, p := range o.Proposals {
		s, err := segments.Open(env, p.Options, true)
		if err != nil {
			return nil, fmt.Errorf("[gen.options.proposals.%d] %w", i, err)
		}
		maps.Copy(m.hashes, s.Weights())
		m.proposals = append(m.proposals, s)
	}
	there := o.Bank != "" && files.Exists(o.Bank)
	if o.From.Given() {
		m.from, err = source.Open(env, "gen.options.from", o.From)
		switch {
		case err != nil && there && env.Weak == data.WeakNone: // a predictor: its photos have no labels to learn from
			m.from = nil
		case err != nil:
			return nil, err
		default:
			maps.Copy(m.hashes, m.from.Weights())
		}
	}
	if there {
		m.path = o.Bank
		m.bank, err = readBank(o.Bank, m.net.Key(), env.Classes.Names)
	} else if m.from == nil {
		err = fmt.Errorf("[gen.options] bank: there is no file %s", o.Bank)
	}
	return m, err
}

// Weights maps the files that the masks depend on to their SHA-256.
func (m *method) Weights() map[string]string { return m.hashes }

// InputFiles is the bank, so that labels are made anew where it changes, and
// what proposals are read from.
func (m *method) InputFiles(id string) ([]string, error) {
	var list []string
	if m.path != "" {
		list = append(list, m.path)
	}
	for _, p := range m.proposals {
		more, err := p.InputFiles(id)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// Inputs describes the folders of proposals and labels (gen.Reader).
func (m *method) Inputs() (map[string]string, error) {
	all := map[string]string{}
	add := func(in map[string]string, err error) error { maps.Copy(all, in); return err }
	for _, p := range m.proposals {
		if err := add(p.Inputs()); err != nil {
			return nil, err
		}
	}
	if m.from != nil {
		if err := add(m.from.Inputs()); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// LearntFrom tells whether the bank has regions of a photo's file (gen.Taught).
func (m *method) LearntFrom(sum string) bool {
	b := m.learnt()
	return b != nil && b.files[sum]
}

// Warnings are what a reader of the labels should know.
func (m *method) Warnings() (list []string) {
	b := m.learnt()
	if b == nil {
		return nil
	}
	if lack := b.lacks(nil); len(lack) > 0 {
		list = append(list, fmt.Sprintf("the bank has no region of %s: nothing can be labelled so", names(b.names, lack)))
	}
	if m.built && !m.opts.LeaveOneOut {
		list = append(list, "leave_one_out = false: each photo's own regions vote for it, so a score of these labels is no test of retrieval")
	}
	return list
}

func (m *method) learnt() *bank {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bank
}

// classesOf are the classes that a photo's labels allow, ascending; nil for
// all. It is an error where the photo lacks the labels of the run.
func (m *method) classesOf(s *data.Sample) ([]int, error) {
	w := s.Weak
	list := []int{}
	missing := false
	switch m.env.Weak {
	case data.WeakTags:
		return source.Tags(s, m.env.Classes.Len()-1)
	case data.WeakBoxes:
		missing = w.Boxes == nil
		for _, b := range w.Boxes {
			list = append(list, b.Class)
		}
	case data.WeakPoints:
		missing = w.Points == nil
		for _, p := range w.Points {
			list = append(list, p.Class)
		}
	case data.WeakScribbles:
		missing = w.Scribbles == nil
		for _, p := range w.Scribbles {
			list = append(list, p.Class)
		}
	default:
		return nil, nil
	}
	if missing {
		return nil, gen.Unlabelled(m.env.Weak)
	}
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(c int) bool { return c == 0 }), nil
}

// Generate names the proposals. A photo whose labels allow no class has no
// masks; one for which a folder has no proposals is an error.
func (m *method) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	if s.Image == nil || s.Image.Rect.Empty() {
		return nil, errors.New("retrieve needs the image, and it has no pixels")
	}
	b := m.learnt()
	if b == nil {
		return nil, errors.New("retrieve builds its bank from a whole split, in wsss gen: for single images, name a bank that a run has made by gen.options.bank")
	}
	allowed, err := m.classesOf(s)
	if err != nil || allowed != nil && len(allowed) == 0 {
		return nil, err
	}
	masks, err := m.propose(ctx, s)
	if err != nil || len(masks) == 0 {
		return nil, err
	}
	img := imageproc.FromImage(s.Image)
	stop := stages.Start(ctx, stages.Embed)
	all, err := m.net.Maps(ctx, img)
	stop()
	if err != nil {
		return nil, err
	}
	queries, kept := make([][]float32, 0, len(masks)), masks[:0]
	for _, mask := range masks {
		if v := all[0].Pool(all[0].Weights(mask), m.opts.Pool == poolLengths); v != nil {
			queries, kept = append(queries, v), append(kept, mask)
		}
	}
	named, err := b.name(ctx, m.opts, queries, allowed, b.own(s.ID, features.PhotoHash(img)))
	if err != nil {
		return nil, err
	}
	if m.opts.Overlap == overlapVotes {
		return b.cast(m.opts.MinArea, kept, named), nil
	}
	return m.best(kept, named), nil
}

// propose joins the masks of all sources; those of too few pixels are left out.
func (m *method) propose(ctx context.Context, s *data.Sample) ([]data.RLE, error) {
	var out []data.RLE
	for i, p := range m.proposals {
		found, err := p.Masks(ctx, s)
		if err == nil && len(found) == 0 && m.opts.Proposals[i].Method == "" {
			err = segments.ErrNone
		}
		if errors.Is(err, segments.ErrNone) {
			return nil, fmt.Errorf("[gen.options.proposals.%d] photo %s has no proposals: %w; make some, or add another source of them", i, s.ID, err)
		}
		if err != nil {
			return nil, err
		}
		for _, mask := range found {
			if mask.Area() < m.opts.MinArea {
				continue
			}
			if !m.opts.Proposals[i].split() {
				out = append(out, mask)
				continue
			}
			out = append(out, parts(mask, m.opts.MinArea)...)
		}
	}
	return out, nil
}

// parts are the connected parts of a mask with at least so many pixels.
func parts(mask data.RLE, area int) (out []data.RLE) {
	for _, part := range data.Parts(mask.Decode(), mask.W, mask.H) {
		if len(part) < area {
			break // the largest come first
		}
		out = append(out, maskOf(part, mask.W, mask.H))
	}
	return out
}

// maskOf is the mask of some pixels.
func maskOf(pixels []int32, w, h int) data.RLE {
	bits := make([]uint8, w*h)
	for _, i := range pixels {
		bits[i] = 1
	}
	return data.EncodeRLE(bits, w, h)
}
