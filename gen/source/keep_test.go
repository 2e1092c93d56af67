package source

import (
	"context"
	"image"
	"path/filepath"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/data/datatest"
	"wsss/gen"
)

// counting counts what it is asked; its scores are the tag's at every pixel.
type counting struct{ asked int }

var counted counting

func init() {
	gen.Register("test-counting", gen.Spec{Weak: []data.WeakKind{data.WeakTags}, New: func(gen.Env) (gen.Method, error) { return &counted, nil }})
}

func (c *counting) Rule() ScoreOptions { return ScoreOptions{} }

func (c *counting) Scores(_ context.Context, s *data.Sample) (*Scores, error) {
	c.asked++
	out := &Scores{W: 2, H: 2}
	for _, tag := range s.Weak.Tags {
		out.Classes, out.Maps = append(out.Classes, tag), append(out.Maps, []float32{1, 0.5, 0.25, 0.125})
	}
	return out, nil
}

func (c *counting) Generate(context.Context, *data.Sample) ([]gen.Mask, error) { return nil, nil }

// TestKeep: a step's scores are made once, and again where the photo, its
// labels, the options or the file are others.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	open := func(options map[string]any) *Source {
		t.Helper()
		env := gen.Env{Classes: data.Classes{Names: []string{"background", "a", "b"}}, Weak: data.WeakTags, Gen: configs.Gen{Weak: "tags"}}
		s, err := Open(env, "from", Options{Method: "test-counting", Keep: dir, Options: options})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	sample := func(grey uint8, tags ...int) *data.Sample {
		img := image.NewNRGBA(image.Rect(0, 0, 2, 2))
		img.Pix[0] = grey
		return &data.Sample{ID: "x", Image: img, Weak: data.WeakLabels{Tags: tags}}
	}
	counted.asked = 0
	plain, other := open(nil), open(map[string]any{"key": 1})
	for i, step := range []struct {
		source *Source
		sample *data.Sample
		spoil  bool
		asked  int
	}{
		{plain, sample(0, 1), false, 1}, {plain, sample(0, 1), false, 1}, {open(nil), sample(0, 1), false, 1},
		{plain, sample(9, 1), false, 2}, {plain, sample(9, 1, 2), false, 3}, {plain, sample(9, 1, 2), true, 4},
		{other, sample(9, 1, 2), false, 5}, {other, sample(9, 1, 2), false, 5},
	} {
		if step.spoil {
			datatest.Write(t, filepath.Join(dir, "x.npy"), "cut off")
		}
		got, err := step.source.Scores(t.Context(), step.sample)
		if err != nil {
			t.Fatal(err)
		}
		if counted.asked != step.asked || len(got.Maps) != len(step.sample.Weak.Tags) || got.Maps[0][3] != 0.125 {
			t.Errorf("step %d: asked %d times, wanted %d; %+v", i, counted.asked, step.asked, got)
		}
	}
}
