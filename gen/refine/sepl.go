package refine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"wsss/configs"
	"wsss/data"
	"wsss/gen"
	"wsss/gen/segments"
	"wsss/gen/sepl"
	"wsss/gen/source"
)

func init() {
	gen.RegisterOf("sepl", gen.Spec{
		Doc:  "SEPL: labels refined by class-agnostic masks, such as SAM's automatic ones",
		Weak: data.Supervisions,
	}, gen.Of[seplOptions]{
		Decode: func(table map[string]any) (seplOptions, error) {
			return gen.Decode(table, seplOptions{Variant: sepl.MaxIoUImp2}, seplOptions.check)
		},
		New:   newSEPL,
		Inner: func(o seplOptions) []configs.Gen { return append(o.From.Inner(), o.source().Inner()...) },
		Needs: func(o seplOptions) gen.Needs {
			n := o.From.Needs()
			n.Add(o.source().Needs())
			return n
		},
	})
}

// seplOptions are the keys of [gen.options]; exactly one of Masks, Sidecars
// and Segments is set.
type seplOptions struct {
	From     source.Options `toml:"from"`
	Masks    string         `toml:"masks"`    // folder of folders <id>/*.png, one mask each, 255 inside: what SAM's own script writes (docs/sources.md §1.1)
	Sidecars string         `toml:"sidecars"` // a run's folder: the masks of <id>.json, whatever their class
	Segments named          `toml:"segments"` // a method that makes the masks, such as sam-auto
	Variant  sepl.Variant   `toml:"variant"`  // max_iou_imp2 (default, the released code), max_iou_imp, max_iou, score_aware
}

// named is a method and its options.
type named struct {
	Method  string         `toml:"method"`
	Options map[string]any `toml:"options"`
}

// source is where the masks come from.
func (o seplOptions) source() segments.Options {
	return segments.Options{Method: o.Segments.Method, Options: o.Segments.Options, Masks: o.Masks, Sidecars: o.Sidecars}
}

type seplMethod struct {
	opts     seplOptions
	from     *source.Source
	segments *segments.Source
	classes  int
}

func (o seplOptions) check() error {
	if n := given(o.Masks) + given(o.Sidecars) + given(o.Segments.Method); n != 1 {
		return errors.New("[gen.options] allowed is exactly one of masks, sidecars and segments")
	}
	if !slices.Contains(sepl.Variants, o.Variant) {
		return fmt.Errorf("[gen.options] variant = %q: allowed are %v", o.Variant, sepl.Variants)
	}
	return nil
}

func newSEPL(env gen.Env, o seplOptions) (_ gen.Method, err error) {
	m := &seplMethod{opts: o, classes: env.Classes.Len()}
	if m.segments, err = segments.Open(env, o.source(), false); err != nil {
		section := "gen.options"
		if o.Segments.Method != "" {
			section = "gen.options.segments"
		}
		return nil, fmt.Errorf("[%s] %w", section, err)
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
	maps.Copy(all, m.segments.Weights())
	if len(all) == 0 {
		return nil
	}
	return all
}

// Learn lets the source, and what makes the masks, learn (gen.Learner).
func (m *seplMethod) Learn(ctx context.Context, from gen.Lesson) error {
	if err := m.from.Learn(ctx, from); err != nil {
		return err
	}
	return m.segments.Learn(ctx, from)
}

func (m *seplMethod) InputFiles(id string) ([]string, error) {
	own, err := m.segments.InputFiles(id)
	if err != nil {
		return nil, err
	}
	return inputFiles(id, own, m.from)
}

func (m *seplMethod) Inputs() (map[string]string, error) {
	all, err := inputs(nil, m.from)
	if err != nil {
		return nil, err
	}
	in, err := m.segments.Inputs()
	if err != nil || len(in) == 0 {
		return all, err
	}
	maps.Copy(in, all)
	return in, nil
}

// Generate returns one mask per class of the refined label.
func (m *seplMethod) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	label, _, err := m.from.Label(ctx, s)
	if err != nil {
		return nil, err
	}
	masks, err := m.segments.Masks(ctx, s)
	if err != nil {
		return nil, err
	}
	refined, err := sepl.Refine(label, masks, m.classes, m.opts.Variant)
	if err != nil {
		return nil, err
	}
	return gen.LabelMasks(refined, nil, "sepl"), nil
}
