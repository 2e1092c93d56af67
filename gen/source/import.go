package source

import (
	"context"

	"wsss/configs"
	"wsss/data"
	"wsss/gen"
)

func init() {
	gen.Register("import", gen.Spec{
		Doc:  "pseudo-labels or class scores (CAMs) of an earlier run or another tool: PNG or .npy files",
		Weak: data.WeakKinds,
		New:  newImport,
		Inner: func(options map[string]any) ([]configs.Gen, error) {
			var o Options
			err := configs.Decode("gen.options", options, &o)
			return o.Inner(), err
		},
		Needs: func(options map[string]any) (gen.Needs, error) {
			var o Options
			err := configs.Decode("gen.options", options, &o)
			return o.Needs(), err
		},
	})
}

// imported is the method "import".
type imported struct{ *Source }

func newImport(env gen.Env) (gen.Method, error) {
	var o Options
	if err := configs.Decode("gen.options", env.Gen.Options, &o); err != nil {
		return nil, err
	}
	s, err := Open(env, "gen.options", o)
	if err != nil {
		return nil, err
	}
	return imported{s}, nil
}

// Generate returns one mask per class of the image's label.
func (m imported) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	label, confidence, err := m.Label(ctx, s)
	if err != nil {
		return nil, err
	}
	masks := gen.LabelMasks(label, confidence, "import")
	if label.Binary() {
		for i := range masks {
			masks[i].Note = data.BinaryNote(1, 1, "the imported label")
		}
	}
	return masks, nil
}
