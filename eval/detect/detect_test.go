package detect

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/gen"
)

// boxes is a dataset of annotated boxes.
type boxes map[string][]data.Box

func (boxes) Name() string                 { return "boxes" }
func (boxes) Classes() data.Classes        { return data.Classes{Names: []string{"background", "cat", "dog"}} }
func (boxes) Splits() []string             { return []string{"train"} }
func (boxes) IDs(string) ([]string, error) { return nil, nil }
func (boxes) ImagePath(id string) string   { return id }
func (b boxes) Load(id string, _ data.Want) (*data.Sample, error) {
	return &data.Sample{ID: id, Weak: data.WeakLabels{Boxes: b[id]}}, nil
}

func box(class int, x float32) data.Box {
	return data.Box{X0: x, X1: x + 20, Y1: 20, Class: class}
}

func write(t *testing.T, dir, id, source string, found ...gen.Prompt) {
	t.Helper()
	s := gen.Sidecar{ID: id, Width: 80, Height: 40}
	for _, p := range found {
		p.Source = source
		p.Class = p.Box.Class
		s.Masks = append(s.Masks, gen.SidecarMask{Mask: gen.Mask{Class: p.Class, From: p}, RLE: (data.RLE{W: 80, H: 40, Counts: []uint32{80 * 40}}).COCOString()})
	}
	if err := files.WriteJSON(filepath.Join(dir, id+".json"), s); err != nil {
		t.Fatal(err)
	}
}

func prompt(b data.Box, score float32) gen.Prompt { return gen.Prompt{Box: &b, Score: score} }

func TestFromSidecars(t *testing.T) {
	ds := boxes{"a": {box(1, 0), box(2, 40)}, "b": {box(1, 10)}, "c": {}, "d": nil, "e": {box(1, 0)}}
	dir := t.TempDir()
	write(t, dir, "a", "detector", prompt(box(1, 0), 0.9), prompt(box(1, 0), 0.9), prompt(box(2, 40), 0.8)) // the first twice
	write(t, dir, "b", "detector", prompt(box(2, 10), 0.5))                                                 // another class
	write(t, dir, "c", "detector")
	write(t, dir, "d", "detector", prompt(box(1, 0), 0.9)) // without annotation
	ids := []string{"a", "b", "c", "d", "e"}               // e has no sidecar
	for _, workers := range []int{1, 3} {
		s, err := FromSidecars(context.Background(), ds, ids, dir, workers)
		if err != nil {
			t.Fatal(err)
		}
		// Class 1: one of two found, none wrong: AP 1/2. Class 2: found, then a
		// wrong one: AP 1.
		if s.Images != 3 || math.Abs(s.Boxes.VOC10-0.75) > 1e-12 || math.Abs(s.Boxes.AR100-0.75) > 1e-12 {
			t.Errorf("%d images, VOC AP %v, recall %v; want 3, 0.75, 0.75", s.Images, s.Boxes.VOC10, s.Boxes.AR100)
		}
		// Images by class 1: 0.9 right, then 0 for b (right) and c, tied: 1/2 + 2/3·1/2.
		// Class 2: 0.8 right, 0.5 wrong: 1.
		if want := (0.5 + 0.5*2/3 + 1) / 2; math.Abs(s.TagsPlain-want) > 1e-12 {
			t.Errorf("mAP of image classes %v, want %v", s.TagsPlain, want)
		}
		if v := s.Extra()["detector mAP, VOC 2010"]; math.Abs(float64(v)-0.75) > 1e-12 {
			t.Errorf("extra number %v, want 0.75", v)
		}
	}
	none := t.TempDir()
	write(t, none, "a", "box", prompt(box(1, 0), 1))
	if s, err := FromSidecars(context.Background(), ds, ids, none, 2); err != nil || s != nil {
		t.Errorf("boxes drawn by people: %v, %v; want no scores", s, err)
	}
	write(t, dir, "e", "detector", prompt(box(3, 0), 1))
	if _, err := FromSidecars(context.Background(), ds, ids, dir, 2); err == nil || !strings.Contains(err.Error(), "class 3") {
		t.Errorf("foreign class: error %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FromSidecars(ctx, ds, ids, dir, 2); err == nil {
		t.Error("cancelled: no error")
	}
}
