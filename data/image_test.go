package data

import (
	"image"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUpright turns labels that were drawn on the stored pixels of a photo of
// 23×14 pixels that lies on its side.
func TestUpright(t *testing.T) {
	const turned = "photo/testdata/turned-6.jpg" // upright: x = 13 − y stored, y = x stored
	stored, upright := image.Pt(23, 14), image.Pt(14, 23)
	if size, err := ImageSize(turned); size != upright || err != nil {
		t.Fatalf("size %v (%v)", size, err)
	}
	for _, tc := range []struct {
		name string
		path string
		size image.Point
		turn bool
	}{
		{"drawn on the stored pixels", turned, stored, true},
		{"drawn upright", turned, upright, false},
		{"of another size", turned, image.Pt(46, 28), false},
		{"a photo upside down", "photo/testdata/turned-3.jpg", stored, false},
		{"an upright photo", "photo/testdata/turned-1.jpg", stored, false},
		{"no photo", "absent.jpg", stored, false},
	} {
		m := NewLabelMap(tc.size.X, tc.size.Y)
		m.Set(4, 2, 7)
		w := WeakLabels{
			Points: []Point{{X: 4, Y: 2, Class: 7}}, Boxes: []Box{{X0: 4, Y0: 2, X1: 10, Y1: 5, Class: 7}},
			Scribbles: []Scribble{{Class: 7, Points: []image.Point{{X: 4, Y: 2}}}},
		}
		want, size, at := w.Boxes[0], tc.size, image.Pt(4, 2)
		if tc.turn {
			want, size, at = Box{X0: 9, Y0: 4, X1: 12, Y1: 10, Class: 7}, upright, image.Pt(11, 4)
		}
		got := Upright(tc.path, m)
		if got.Size() != size || got.At(at.X, at.Y) != 7 {
			t.Errorf("%s: map of %v, pixel %d", tc.name, got.Size(), got.At(at.X, at.Y))
		}
		w.Upright(tc.path, tc.size)
		if diff := cmp.Diff(want, w.Boxes[0]); diff != "" || image.Pt(w.Points[0].X, w.Points[0].Y) != at || w.Scribbles[0].Points[0] != at {
			t.Errorf("%s: %+v: %s", tc.name, w, diff)
		}
	}
}

// TestBoxesTurnAsPixels: for every orientation a box covers the pixels of the
// turned map.
func TestBoxesTurnAsPixels(t *testing.T) {
	for _, name := range []string{"5", "6", "7", "8"} {
		path := "photo/testdata/turned-" + name + ".jpg"
		m := NewLabelMap(23, 14)
		box := image.Rect(3, 1, 9, 5)
		for y := box.Min.Y; y < box.Max.Y; y++ {
			for x := box.Min.X; x < box.Max.X; x++ {
				m.Set(x, y, 1)
			}
		}
		w := WeakLabels{Boxes: []Box{{X0: 3, Y0: 1, X1: 9, Y1: 5}}}
		w.Upright(path, m.Size())
		got := Upright(path, m)
		r := w.Boxes[0].Rect()
		for i, v := range got.Pix {
			if in := image.Pt(i%got.W, i/got.W).In(r); in != (v == 1) {
				t.Fatalf("orientation %s: box %v, pixel %d is %d", name, r, i, v)
			}
		}
	}
}
