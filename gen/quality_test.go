package gen

import (
	"context"
	"errors"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
)

func TestSigns(t *testing.T) {
	label := &data.LabelMap{W: 6, H: 1, Pix: []uint8{1, 1, 2, data.Ignore, 0, 0}}
	a, b := drawn(1, 0.9, "###..."), drawn(2, 0.6, "..##..")
	a.Stability = 0.8
	b.From.Box = &data.Box{X0: 2, Y0: 0, X1: 5, Y1: 1, Class: 2}
	s := assess(label, []Mask{a, b}, data.WeakLabels{
		Tags:  []int{1, 2},
		Boxes: []data.Box{{Class: 2}, {Class: 7, Crowd: true}}, Points: []data.Point{{Class: 3}, {Class: 0}},
		Scribbles: []data.Scribble{{Class: 4}},
	})
	want := Signs{
		SignConfidence: (3*0.9 + 2*0.6) / 5, SignStability: 0.8, SignDistinct: 0.75, SignDecided: 0.75,
		SignCovered: 0.5, SignBoxes: 2.0 / 3,
	}
	product := 1.0
	for name, v := range want {
		if math.Abs(s[name]-v) > 1e-6 {
			t.Errorf("%s = %v, want %v", name, s[name], v)
		}
		product *= v
	}
	if score := math.Pow(product, 1.0/6); len(s) != 7 || math.Abs(s[SignScore]-score) > 1e-6 {
		t.Errorf("signs %v, want the score %v", s, score)
	}
	if s := assess(label, nil, data.WeakLabels{}); s[SignScore] != 0 {
		t.Errorf("without masks: %v", s)
	}
}

func TestLabelAgreement(t *testing.T) {
	label := func(pix ...uint8) *data.LabelMap { return &data.LabelMap{W: len(pix), H: 1, Pix: pix} }
	for _, tt := range []struct {
		a, b *data.LabelMap
		want float64
	}{
		{label(1, 1, 2, 0), label(1, 1, 2, 0), 1},
		{label(1, 1, 2, 0), label(1, 2, 2, 0), 0.5},
		{label(1, 1, 0, 0), label(0, 0, 2, 0), 0},
		{label(1, 255, 0, 0), label(1, 2, 255, 0), 1},
		{label(0, 0), label(0, 0), 1},
	} {
		if got := LabelAgreement(tt.a, tt.b); got != tt.want {
			t.Errorf("%v, %v: %v, want %v", tt.a.Pix, tt.b.Pix, got, tt.want)
		}
	}
}

// leftHalf labels what lies left of the middle, so that mirroring changes all.
type leftHalf struct{ fromBoxes bool }

func (m leftHalf) Generate(_ context.Context, s *data.Sample) ([]Mask, error) {
	size := s.Image.Rect.Size()
	x0, x1 := 0, size.X/2
	if m.fromBoxes {
		x0, x1 = int(s.Weak.Boxes[0].X0), int(s.Weak.Boxes[0].X1)
	}
	bits := make([]uint8, size.X*size.Y)
	for i := range bits {
		if x := i % size.X; x >= x0 && x < x1 {
			bits[i] = 1
		}
	}
	return []Mask{{Class: 1, Score: 0.9, Bits: data.EncodeRLE(bits, size.X, size.Y), Note: "half"}}, nil
}

// boxSet adds a box to every image of fakeSet.
type boxSet struct{ fakeSet }

func (d *boxSet) Load(id string, want data.Want) (*data.Sample, error) {
	s, err := d.fakeSet.Load(id, want)
	s.Weak.Boxes = []data.Box{{X0: 2, Y0: 1, X1: 9, Y1: 8, Class: 1}}
	return s, err
}

func TestChecks(t *testing.T) {
	for _, tt := range []struct {
		method leftHalf
		want   float64
	}{{leftHalf{}, 0}, {leftHalf{fromBoxes: true}, 1}} {
		o, _ := fakeRun(t.TempDir(), 2)
		o.Dataset, o.Method, o.Checks, o.Weak = &boxSet{fakeSet{n: 2}}, tt.method, []string{"flip", "scale"}, data.WeakBoxes
		mustRun(t, o)
		side, err := ReadSidecar(filepath.Join(o.OutDir, "im001.json"))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := side.Quality[SignFlip]; !ok || got != tt.want {
			t.Errorf("%+v: signs %v, want flip %v", tt.method, side.Quality, tt.want)
		}
		if got := side.Quality[SignScale]; got < 0.8 {
			t.Errorf("%+v: signs %v, want a scale near 1", tt.method, side.Quality)
		}
	}
}

func TestMirroredTwiceIsTheSame(t *testing.T) {
	s := &data.Sample{ID: "a", Image: image.NewNRGBA(image.Rect(0, 0, 5, 3))}
	for i := range s.Image.Pix {
		s.Image.Pix[i] = uint8(i)
	}
	s.Weak = data.WeakLabels{
		Points: []data.Point{{X: 1, Y: 2, Class: 1}}, Boxes: []data.Box{{X0: 0, Y0: 1, X1: 2, Y1: 2}},
		Scribbles: []data.Scribble{{Class: 1, Points: []image.Point{{4, 0}, {3, 2}}}}, Tags: []int{1},
	}
	m, _ := flip(s)
	if m.Image.NRGBAAt(0, 1) != s.Image.NRGBAAt(4, 1) || m.Weak.Points[0].X != 3 || m.Weak.Boxes[0].X1 != 5 ||
		m.Weak.Scribbles[0].Points[0].X != 0 || (m.Image.NRGBAAt(0, 0) == color.NRGBA{}) {
		t.Errorf("mirrored sample %+v", m.Weak)
	}
	back, unflip := flip(m)
	if l := unflip(&data.LabelMap{W: 3, H: 2, Pix: []uint8{1, 2, 3, 4, 5, 6}}); !slices.Equal(l.Pix, []uint8{3, 2, 1, 6, 5, 4}) {
		t.Errorf("label mirrored back: %v", l.Pix)
	}
	if !slices.Equal(back.Image.Pix, s.Image.Pix) || back.Weak.Boxes[0] != s.Weak.Boxes[0] || back.Weak.Points[0] != s.Weak.Points[0] {
		t.Error("mirrored twice, the sample differs")
	}
}

func TestQualityListsTheWorstFirst(t *testing.T) {
	o, m := fakeRun(t.TempDir(), 6)
	m.fail = map[string]error{}
	mustRun(t, o)
	other, _ := fakeRun(t.TempDir(), 6)
	mustRun(t, other)
	// One image is labelled otherwise in the second folder, one is not there.
	label, err := data.ReadLabelMap(filepath.Join(other.OutDir, "im004.png"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range label.Pix {
		label.Pix[i] = 2 - label.Pix[i]/2
	}
	if err := data.WriteLabelMap(filepath.Join(other.OutDir, "im004.png"), label); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(other.OutDir, "im002.png"))
	var steps int
	q, err := Quality(t.Context(), o.OutDir, QualityOptions{Against: []string{other.OutDir}, Progress: func(done, total int) { steps += total }})
	if err != nil {
		t.Fatal(err)
	}
	if len(q.Images) != 6 || q.Images[0].ID != "im004" || q.Images[0].Notes[0] != "made up" || steps != 36 {
		t.Errorf("summary %+v", q.Images)
	}
	for _, im := range q.Images {
		if _, compared := im.Signs[SignAgreement]; compared != (im.ID != "im002") {
			t.Errorf("%s: signs %v", im.ID, im.Signs)
		}
	}
	if s := q.Scores(); len(s) != 6 || s["im004"] != q.Images[0].Score() || q.Mean[SignConfidence] != 0.5 {
		t.Errorf("scores %v, mean %v", s, q.Mean)
	}
	// Sidecars of before signs were kept are judged from their masks.
	damage(t, filepath.Join(o.OutDir, "im001.json"), func(b []byte) []byte {
		return []byte(strings.Replace(string(b), `"quality"`, `"unknown"`, 1))
	})
	one, err := Quality(t.Context(), o.OutDir, QualityOptions{IDs: []string{"im001"}})
	if err != nil || one.Images[0].Signs[SignConfidence] != 0.5 {
		t.Errorf("old sidecar: %+v, %v", one, err)
	}
	if _, err := Quality(t.Context(), o.OutDir, QualityOptions{IDs: []string{"none"}}); err == nil || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("missing image: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Quality(cancelled, o.OutDir, QualityOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestChecksArePartOfTheHash(t *testing.T) {
	a, b := configs.Default(), configs.Default()
	b.Gen.Checks = []string{"flip"}
	if a.GenHash() == b.GenHash() {
		t.Error("gen.checks do not change the hash, so labels would not be made again")
	}
}
