// Package segments gives photos masks without classes: those that another
// method makes, or that an earlier run or another tool wrote.
package segments

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/gen"
	"wsss/gen/source"
)

// Options say where masks come from: exactly one of Method, Masks, Sidecars and
// Labels is set.
type Options struct {
	Method   string         `toml:"method"`   // a method that makes the masks, such as sam-auto, saliency or grabcut …
	Options  map[string]any `toml:"options"`  // … with these options
	Labelled bool           `toml:"labelled"` // the method works from the photo's own labels; else without any, where it can
	Masks    string         `toml:"masks"`    // folder of folders <id>/*.png, one mask each, 255 inside: what SAM's own script writes (docs/sources.md §1.1)
	Sidecars string         `toml:"sidecars"` // a run's folder: the masks of <id>.json, whatever their class
	Labels   string         `toml:"labels"`   // folder of label maps <id>.png: each value but 0 and 255 is a mask
}

// ErrNone is wrapped by the error for a photo of which a folder has no masks.
var ErrNone = errors.New("no masks")

// Source yields the masks of photos. It is safe for concurrent use.
type Source struct {
	opts   Options
	method gen.Method // nil for folders
	weak   data.WeakKind
	made   bool // the method gets a made-up tag
}

// Inner lists the method that the options name, for gen.Spec.
func (o Options) Inner() []configs.Gen {
	if o.Method == "" {
		return nil
	}
	return []configs.Gen{o.gen("")}
}

// Needs are the folders that the options name, for gen.Spec.
func (o Options) Needs() gen.Needs { return gen.Needs{Files: []string{o.Masks, o.Sidecars, o.Labels}} }

func (o Options) gen(weak data.WeakKind) configs.Gen {
	return configs.Gen{Method: o.Method, Weak: string(weak), Options: o.Options, Fuse: configs.Default().Gen.Fuse}
}

// Check tells whether the options name one source.
func (o Options) Check() error {
	n := 0
	for _, s := range []string{o.Method, o.Masks, o.Sidecars, o.Labels} {
		if s != "" {
			n++
		}
	}
	switch {
	case n != 1:
		return errors.New("allowed is exactly one of method, masks, sidecars and labels")
	case o.Method == "" && (len(o.Options) > 0 || o.Labelled):
		return errors.New("options and labelled: allowed only with method")
	}
	return nil
}

// Open opens a source. What labels a method gets is decided in this order: those
// of env where options.labelled asks for them; none where the method works without;
// where blind, one and the same made-up tag for every photo if it takes tags, so that
// its masks are of any object; else the labels of env.
func Open(env gen.Env, o Options, blind bool) (*Source, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	s := &Source{opts: o}
	if o.Method == "" {
		_, err := files.Stat(o.Masks + o.Sidecars + o.Labels)
		return s, err
	}
	spec, err := gen.Lookup(o.Method)
	if err != nil {
		return nil, err
	}
	switch {
	case o.Labelled && slices.Contains(spec.Weak, env.Weak): // as they are
	case slices.Contains(spec.Weak, data.WeakNone):
		env.Weak = data.WeakNone
	case blind && (env.Weak == data.WeakTags || env.Weak == data.WeakNone || !slices.Contains(spec.Weak, env.Weak)) && slices.Contains(spec.Weak, data.WeakTags):
		env.Weak, s.made = data.WeakTags, true
	}
	env.Gen = o.gen(env.Weak)
	s.weak = env.Weak
	s.method, err = gen.New(env)
	if err != nil && blind && env.Weak == data.WeakNone && slices.Contains(spec.Weak, data.WeakTags) {
		// A step behind it takes no photo without labels, as where it refines saliency.
		env.Weak, env.Gen = data.WeakTags, o.gen(data.WeakTags)
		if m, refused := gen.New(env); refused == nil {
			s.method, s.weak, s.made, err = m, env.Weak, true, nil
		}
	}
	return s, err
}

// Masks are the masks of a sample's photo. A method may find none; of a folder
// that has none the error wraps ErrNone.
func (s *Source) Masks(ctx context.Context, sample *data.Sample) ([]data.RLE, error) {
	var masks []data.RLE
	var err error
	switch {
	case s.method != nil:
		return s.make(ctx, sample)
	case s.opts.Masks != "":
		masks, err = readFolder(s.opts.Masks, sample.ID)
	case s.opts.Sidecars != "":
		masks, err = readSidecar(s.opts.Sidecars, sample.ID)
	default:
		masks, err = readLabels(s.opts.Labels, sample.ID)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrNone, err)
	}
	if err == nil && sample.Image != nil {
		size := sample.Image.Rect.Size()
		for i, m := range masks {
			if m.W != size.X || m.H != size.Y {
				return nil, fmt.Errorf("%s: mask %d of %s is %d×%d pixels, the photo %d×%d", s.opts.Masks+s.opts.Sidecars+s.opts.Labels, i, sample.ID, m.W, m.H, size.X, size.Y)
			}
		}
	}
	return masks, err
}

func (s *Source) make(ctx context.Context, sample *data.Sample) ([]data.RLE, error) {
	if s.made {
		sample = &data.Sample{ID: sample.ID, Image: sample.Image, Weak: data.WeakLabels{Tags: []int{1}}}
	}
	made, err := s.method.Generate(ctx, sample)
	masks := make([]data.RLE, len(made))
	for i, m := range made {
		masks[i] = m.Bits
	}
	return masks, err
}

// Weights are the weight files of the method behind the source.
func (s *Source) Weights() map[string]string {
	if s.method == nil {
		return nil
	}
	return gen.WeightsOf(s.method)
}

// Learn lets the method behind the source learn, for gen.Learner.
func (s *Source) Learn(ctx context.Context, from gen.Lesson) error {
	if s.method == nil {
		return nil
	}
	return gen.Learn(ctx, s.method, from)
}

// InputFiles are what the masks of an image are read from, for gen.Reader.
func (s *Source) InputFiles(id string) ([]string, error) {
	var dir, name string
	switch {
	case s.method != nil:
		return gen.InputFiles(s.method, id)
	case s.opts.Masks != "":
		dir, name = s.opts.Masks, id
	case s.opts.Sidecars != "":
		dir, name = s.opts.Sidecars, id+".json"
	default:
		dir, name = s.opts.Labels, id+".png"
	}
	path, err := files.Join(dir, name)
	return []string{path}, err
}

// Inputs describes the folder, for gen.Reader.
func (s *Source) Inputs() (map[string]string, error) {
	switch {
	case s.method != nil:
		if r, ok := s.method.(gen.Reader); ok {
			in, err := r.Inputs()
			return maps.Clone(in), err
		}
		return nil, nil
	case s.opts.Masks != "":
		sum, err := countEntries(s.opts.Masks)
		return map[string]string{s.opts.Masks: sum}, err
	case s.opts.Sidecars != "":
		sum, err := source.Describe(s.opts.Sidecars, ".json")
		return map[string]string{s.opts.Sidecars: sum}, err
	}
	sum, err := source.Describe(s.opts.Labels, ".png")
	return map[string]string{s.opts.Labels: sum}, err
}

// countEntries describes a folder of many folders by their number: a whole
// data set has millions of masks.
func countEntries(dir string) (string, error) {
	entries, err := files.ReadDir(dir)
	return fmt.Sprintf("%d folders", len(entries)), err
}

// readFolder reads dir/<id>/*.png in the order of their names. A pixel is
// inside where its value is 255; other files are skipped.
func readFolder(dir, id string) ([]data.RLE, error) {
	folder, err := files.Join(dir, id)
	if err != nil {
		return nil, err
	}
	entries, err := files.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var masks []data.RLE
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".png" {
			continue
		}
		m, err := data.ReadLabelMap(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		for i, v := range m.Pix {
			m.Pix[i] = v / 255
		}
		masks = append(masks, data.EncodeRLE(m.Pix, m.W, m.H))
	}
	return masks, nil
}

func readSidecar(dir, id string) ([]data.RLE, error) {
	path, err := files.Join(dir, id+".json")
	if err != nil {
		return nil, err
	}
	side, err := gen.ReadSidecar(path)
	if err != nil {
		return nil, err
	}
	masks := make([]data.RLE, len(side.Masks))
	for i, m := range side.Masks {
		masks[i] = m.Bits
	}
	return masks, nil
}

func readLabels(dir, id string) ([]data.RLE, error) {
	path, err := files.Join(dir, id+".png")
	if err != nil {
		return nil, err
	}
	label, err := data.ReadLabelMap(path)
	if err != nil {
		return nil, err
	}
	var masks []data.RLE
	for _, m := range gen.LabelMasks(label, nil, "") {
		if m.Class != data.Ignore {
			masks = append(masks, m.Bits)
		}
	}
	return masks, nil
}
