package refine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/gen"
	"wsss/gen/sepl"
	"wsss/gen/source"
)

func init() {
	gen.Register("sepl", gen.Spec{
		Doc:  "SEPL: labels refined by class-agnostic masks, such as SAM's automatic ones",
		Weak: data.WeakKinds,
		New:  newSEPL,
		Inner: func(options map[string]any) ([]configs.Gen, error) {
			var o seplOptions
			err := configs.Decode("gen.options", options, &o)
			all := o.From.Inner()
			if o.Segments.Method != "" {
				all = append(all, o.Segments.gen(""))
			}
			return all, err
		},
		Needs: func(options map[string]any) (gen.Needs, error) {
			var o seplOptions
			err := configs.Decode("gen.options", options, &o)
			n := o.From.Needs()
			n.Add(gen.Needs{Files: []string{o.Masks, o.Sidecars}})
			return n, err
		},
	})
}

// seplOptions are the keys of [gen.options]; exactly one of Masks, Sidecars
// and Segments is set.
type seplOptions struct {
	From     source.Options `toml:"from"`
	Masks    string         `toml:"masks"`    // folder of folders <id>/*.png, one mask each, 255 inside: what SAM's own script writes (docs/sources.md §1.1)
	Sidecars string         `toml:"sidecars"` // a run's folder: the masks of <id>.json, whatever their class
	Segments segments       `toml:"segments"` // a method that makes the masks, such as sam-auto
	Variant  sepl.Variant   `toml:"variant"`  // max_iou_imp2 (default, the released code), max_iou_imp, max_iou, score_aware
}

// segments names a method and its options.
type segments struct {
	Method  string         `toml:"method"`
	Options map[string]any `toml:"options"`
}

func (s segments) gen(weak data.WeakKind) configs.Gen {
	return configs.Gen{Method: s.Method, Weak: string(weak), Options: s.Options, Fuse: configs.Default().Gen.Fuse}
}

// open makes the method; it gets no weak labels where it needs none.
func (s segments) open(env gen.Env) (gen.Method, error) {
	spec, err := gen.Lookup(s.Method)
	if err != nil {
		return nil, err
	}
	if slices.Contains(spec.Weak, data.WeakNone) {
		env.Weak = data.WeakNone
	}
	env.Gen = s.gen(env.Weak)
	return gen.New(env)
}

type seplMethod struct {
	opts     seplOptions
	from     *source.Source
	segments gen.Method // nil: masks come from a folder
	classes  int
}

func newSEPL(env gen.Env) (gen.Method, error) {
	o := seplOptions{Variant: sepl.MaxIoUImp2}
	if err := configs.Decode("gen.options", env.Gen.Options, &o); err != nil {
		return nil, err
	}
	if n := given(o.Masks) + given(o.Sidecars) + given(o.Segments.Method); n != 1 {
		return nil, errors.New("[gen.options] allowed is exactly one of masks, sidecars and segments")
	}
	if !slices.Contains(sepl.Variants, o.Variant) {
		return nil, fmt.Errorf("[gen.options] variant = %q: allowed are %v", o.Variant, sepl.Variants)
	}
	m := &seplMethod{opts: o, classes: env.Classes.Len()}
	if o.Segments.Method != "" {
		var err error
		if m.segments, err = o.Segments.open(env); err != nil {
			return nil, fmt.Errorf("[gen.options.segments] %w", err)
		}
	} else if _, err := os.Stat(o.Masks + o.Sidecars); err != nil {
		return nil, fmt.Errorf("[gen.options] %w", err)
	}
	from, err := source.Open(env, "gen.options.from", o.From)
	if err != nil {
		return nil, err
	}
	m.from = from
	return m, nil
}

func given(s string) int {
	if s == "" {
		return 0
	}
	return 1
}

func (m *seplMethod) Weights() map[string]string {
	all := map[string]string{}
	maps.Copy(all, m.from.Weights())
	if w, ok := m.segments.(interface{ Weights() map[string]string }); ok {
		maps.Copy(all, w.Weights())
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// Learn lets the source, and what makes the masks, learn (gen.Learner).
func (m *seplMethod) Learn(ctx context.Context, from gen.Lesson) error {
	if err := m.from.Learn(ctx, from); err != nil || m.segments == nil {
		return err
	}
	return gen.Learn(ctx, m.segments, from)
}

func (m *seplMethod) InputFiles(id string) ([]string, error) {
	own, err := below(m.opts.Masks, id)
	if err == nil && m.opts.Sidecars != "" {
		own, err = below(m.opts.Sidecars, id+".json")
	}
	if err == nil && m.segments != nil {
		own, err = gen.InputFiles(m.segments, id)
	}
	if err != nil {
		return nil, err
	}
	return inputFiles(id, own, m.from)
}

func (m *seplMethod) Inputs() (map[string]string, error) {
	more := folders{}
	switch {
	case m.opts.Masks != "":
		more[m.opts.Masks] = func() (string, error) { return countEntries(m.opts.Masks) }
	case m.opts.Sidecars != "":
		more[m.opts.Sidecars] = func() (string, error) { return source.Describe(m.opts.Sidecars, ".json") }
	}
	all, err := inputs(more, m.from)
	if r, ok := m.segments.(gen.Reader); ok && err == nil {
		var in map[string]string
		if in, err = r.Inputs(); len(in) > 0 {
			in = maps.Clone(in)
			maps.Copy(in, all)
			return in, err
		}
	}
	return all, err
}

// countEntries describes a folder of many folders by their number: a whole
// data set has millions of masks.
func countEntries(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	return fmt.Sprintf("%d folders", len(entries)), err
}

// Generate returns one mask per class of the refined label.
func (m *seplMethod) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	label, _, err := m.from.Label(ctx, s)
	if err != nil {
		return nil, err
	}
	masks, err := m.masks(ctx, s)
	if err != nil {
		return nil, err
	}
	refined, err := sepl.Refine(label, masks, m.classes, m.opts.Variant)
	if err != nil {
		return nil, err
	}
	return gen.LabelMasks(refined, nil, "sepl"), nil
}

func (m *seplMethod) masks(ctx context.Context, s *data.Sample) ([]data.RLE, error) {
	switch {
	case m.opts.Masks != "":
		return readMaskFolder(m.opts.Masks, s.ID)
	case m.opts.Sidecars != "":
		return readSidecarMasks(m.opts.Sidecars, s.ID)
	}
	made, err := m.segments.Generate(ctx, s)
	masks := make([]data.RLE, len(made))
	for i, mask := range made {
		masks[i] = mask.Bits
	}
	return masks, err
}

// readMaskFolder reads dir/<id>/*.png in the order of their names. A pixel is
// inside where its value is 255; other files are skipped.
func readMaskFolder(dir, id string) ([]data.RLE, error) {
	folder, err := files.Join(dir, id)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
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

func readSidecarMasks(dir, id string) ([]data.RLE, error) {
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
