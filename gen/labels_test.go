package gen

import (
	"image"
	"slices"
	"testing"

	"wsss/configs"
	"wsss/data"
)

func TestLabelMasksFuseBack(t *testing.T) {
	label := &data.LabelMap{W: 4, H: 2, Pix: []uint8{0, 3, 3, 255, 255, 1, 0, 3}}
	confidence := []float32{0, 0.5, 1, 0, 0, 0.25, 0, 0.75}
	masks := LabelMasks(label, confidence, "test")
	var classes []int
	for _, m := range masks {
		classes = append(classes, m.Class)
	}
	if !slices.Equal(classes, []int{1, 3, 255}) || masks[0].Score != 0.25 || masks[1].Score != 0.75 {
		t.Errorf("masks %+v", masks)
	}
	for _, rule := range Rules() {
		fuser, err := NewFuser(configs.Fuse{Rule: rule}, data.Classes{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := fuser.Fuse(label.Size(), masks)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Pix, label.Pix) {
			t.Errorf("%s: %v, want %v", rule, got.Pix, label.Pix)
		}
	}
}

func TestUncertainRule(t *testing.T) {
	stable := func(m Mask, s float32) Mask { m.Stability = s; return m }
	a := drawn(1, 0.9, "###...")
	b := drawn(2, 0.85, "..###.")
	fuser, err := NewFuser(configs.Fuse{Rule: "uncertain", Margin: 0.1, MinScore: 0.5}, data.Classes{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		masks []Mask
		want  string
	}{
		{"close rivals", []Mask{a, b}, "11*220"},
		{"stability decides", []Mask{a, stable(b, 0.7)}, "111220"},
		{"same class is no rival", []Mask{a, drawn(1, 0.85, "..###.")}, "111110"},
		{"rival under a mask of the winner's class", []Mask{a, b, drawn(1, 0.87, "..#...")}, "11*220"},
		{"too uncertain", []Mask{drawn(1, 0.4, "###..."), drawn(2, 0.9, "....##")}, "***022"},
		{"unstable", []Mask{stable(a, 0.5)}, "***000"},
	} {
		for range 2 {
			got, err := fuser.Fuse(image.Pt(6, 1), tt.masks)
			if err != nil || show(got)[0] != tt.want {
				t.Errorf("%s: %v, %v, want %s", tt.name, show(got), err, tt.want)
			}
			slices.Reverse(tt.masks)
		}
	}
}
