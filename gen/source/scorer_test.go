package source

import (
	"context"
	"slices"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/gen"
)

// ramp is a method of one class whose score rises from left to right; its own
// labels begin at 0.5.
type ramp struct{}

func init() {
	gen.Register("test-ramp", gen.Spec{Weak: data.WeakKinds, New: func(gen.Env) (gen.Method, error) { return ramp{}, nil }})
}

func (ramp) Rule() ScoreOptions {
	half := 0.5
	return ScoreOptions{Threshold: &half}
}

func (ramp) Scores(_ context.Context, s *data.Sample) (*Scores, error) {
	size := s.Image.Rect.Size()
	out := &Scores{W: size.X, H: size.Y, Classes: []int{3}, Maps: [][]float32{make([]float32, size.X*size.Y)}}
	for i := range out.Maps[0] {
		out.Maps[0][i] = float32(i%size.X) / float32(size.X)
	}
	return out, nil
}

func (r ramp) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	scores, err := r.Scores(ctx, s)
	if err != nil {
		return nil, err
	}
	label, confidence := scores.Label(r.Rule())
	return gen.LabelMasks(label, confidence, "test"), nil
}

func TestMethodAsScoreSource(t *testing.T) {
	third := 0.3
	for _, tt := range []struct {
		name string
		own  ScoreOptions
		want []uint8
	}{
		{"the method's rule", ScoreOptions{}, []uint8{0, 0, 0, 3}},
		{"a rule of the options", ScoreOptions{Threshold: &third}, []uint8{0, 0, 3, 3}},
	} {
		s, err := Open(gen.Env{Classes: voc, Weak: data.WeakTags}, "from", Options{Method: "test-ramp", Fuse: configs.Fuse{Rule: "score"}, ScoreOptions: tt.own})
		if err != nil {
			t.Fatal(err)
		}
		in := sample("a", 4, 1, 3)
		label, _, err := s.Label(t.Context(), in)
		if err != nil || !s.HasScores() || !slices.Equal(label.Pix, tt.want) {
			t.Errorf("%s: label %v (%v), want %v", tt.name, label, err, tt.want)
		}
		scores, err := s.Scores(t.Context(), in)
		if err != nil || !slices.Equal(scores.Maps[0], []float32{0, 0.25, 0.5, 0.75}) {
			t.Errorf("%s: scores %v (%v)", tt.name, scores, err)
		}
		again, _ := scores.Label(s.Rule())
		if !slices.Equal(again.Pix, tt.want) {
			t.Errorf("%s: the rule gives %v, want %v", tt.name, again.Pix, tt.want)
		}
	}
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	s := &Scores{W: 3, H: 2, Classes: []int{1, 15}, Maps: [][]float32{{0, 1, 2, 3, 4, 5}, {6, 7, 8, 9, 10, 11}}}
	small := &Scores{W: 1, H: 1, Classes: s.Classes, Maps: [][]float32{{20}, {21}}}
	if err := Save(dir, "a", s, small); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]*Scores{"": s, "cam": small} {
		got, err := ReadScores(dir+"/a.npy", key, 1, 21)
		if err != nil {
			t.Fatal(err)
		}
		if got.W != want.W || got.H != want.H || !slices.Equal(got.Classes, want.Classes) || !slices.Equal(got.Maps[0], want.Maps[0]) || !slices.Equal(got.Maps[1], want.Maps[1]) {
			t.Errorf("key %q: %+v, want %+v", key, got, want)
		}
	}
	if err := Save(dir, "../a", s, nil); err == nil {
		t.Error("a file outside the folder was written")
	}
	if err := Save(dir, "none", &Scores{W: 3, H: 2}, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadScores(dir+"/none.npy", "", 1, 21); err != nil || len(got.Classes) != 0 {
		t.Errorf("no class: %+v, %v", got, err)
	}
}
