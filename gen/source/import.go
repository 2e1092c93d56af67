package source

import (
	"context"

	"wsss/data"
	"wsss/gen"
)

func init() {
	gen.RegisterOf("import", gen.Spec{
		Doc:  "pseudo-labels or class scores (CAMs) of an earlier run or another tool: PNG or .npy files",
		Weak: data.Supervisions,
	}, gen.Of[Options]{
		Decode: func(table map[string]any) (Options, error) { return gen.Decode(table, Options{}, nil) },
		New:    newImport,
		Inner:  Options.Inner,
		Needs:  Options.Needs,
	})
}

// imported is the method "import".
type imported struct{ *Source }

func newImport(env gen.Env, o Options) (gen.Method, error) {
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
