package data

import (
	"bytes"
	"image"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestRLERoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range []image.Point{{1, 1}, {1, 7}, {7, 1}, {13, 9}, {64, 48}} {
		for _, density := range []float64{0, 0.1, 0.5, 1} {
			mask := make([]uint8, size.X*size.Y)
			var area int
			var bounds image.Rectangle
			for i := range mask {
				if rng.Float64() < density {
					mask[i] = 1
					area++
					bounds = bounds.Union(image.Rect(i%size.X, i/size.X, i%size.X+1, i/size.X+1))
				}
			}
			r := EncodeRLE(mask, size.X, size.Y)
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(r.Decode(), mask) {
				t.Errorf("%v density %v: mask changed", size, density)
			}
			if r.Area() != area || r.Bounds() != bounds {
				t.Errorf("%v density %v: area %d bounds %v, want %d %v", size, density, r.Area(), r.Bounds(), area, bounds)
			}
			again, err := ParseCOCOString(r.COCOString(), r.W, r.H)
			if err != nil || !slices.Equal(again.Counts, r.Counts) {
				t.Errorf("%v density %v: text form lost the mask: %v", size, density, err)
			}
		}
	}
}

// TestCOCOString checks codes worked out by hand from the published format.
func TestCOCOString(t *testing.T) {
	tests := []struct {
		w, h   int
		counts []uint32
		text   string
	}{
		{2, 2, []uint32{4}, "4"},
		{2, 2, []uint32{0, 4}, "04"},
		{10, 10, []uint32{100}, "T3"},                // 100 = 4 + 3·32
		{4, 16, []uint32{16, 16, 16, 16}, "`0`0`00"}, // 16 needs a second group for its sign
		{8, 4, []uint32{5, 9, 3, 8, 7}, "593O4"},     // fourth count: 8−9 = −1; fifth: 7−3
	}
	for _, tt := range tests {
		r := RLE{W: tt.w, H: tt.h, Counts: tt.counts}
		if got := r.COCOString(); got != tt.text {
			t.Errorf("%v: text %q, want %q", tt.counts, got, tt.text)
		}
		got, err := ParseCOCOString(tt.text, tt.w, tt.h)
		if err != nil || !slices.Equal(got.Counts, tt.counts) {
			t.Errorf("%q: counts %v (%v), want %v", tt.text, got.Counts, err, tt.counts)
		}
	}
}

func TestParseCOCOStringFaults(t *testing.T) {
	for _, tt := range []struct{ text, fault string }{
		{"5", "covers 5 pixels"},
		{"T", "ends inside"},
		{"4 ", "bad character"},
		{"O", "run of -1"},
		{strings.Repeat("o", 9), "bad character"},
		{"", "covers 0"},
	} {
		if _, err := ParseCOCOString(tt.text, 2, 2); err == nil || !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%q: error %v, want %q", tt.text, err, tt.fault)
		}
	}
	if _, err := ParseCOCOString("0", 0, 0); err == nil {
		t.Error("an image of no pixels was accepted")
	}
}

func TestRLEValidate(t *testing.T) {
	for _, r := range []RLE{
		{W: 2, H: 2, Counts: []uint32{5}},
		{W: 2, H: 2},
		{W: -2, H: -2, Counts: []uint32{4}},
		{W: 1 << 20, H: 1 << 20, Counts: []uint32{1}},
	} {
		if r.Validate() == nil {
			t.Errorf("%+v passes", r)
		}
	}
}

func FuzzParseCOCOString(f *testing.F) {
	f.Add("593O4", 8, 4)
	f.Add("`0`0`00", 4, 16)
	f.Fuzz(func(t *testing.T, text string, w, h int) {
		if w > 1<<10 || h > 1<<10 || w > 0 && h > 0 && w*h > 1<<16 {
			return // a larger image only takes longer
		}
		r, err := ParseCOCOString(text, w, h)
		if err != nil {
			return
		}
		mask := r.Decode()
		if !bytes.Equal(EncodeRLE(mask, w, h).Decode(), mask) {
			t.Fatal("mask changed")
		}
		again, err := ParseCOCOString(r.COCOString(), w, h)
		if err != nil || !slices.Equal(again.Counts, r.Counts) {
			t.Fatalf("counts changed: %v", err)
		}
	})
}
