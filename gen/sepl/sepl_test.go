package sepl

import (
	"image"
	"strings"
	"testing"

	"wsss/data"
)

// label is a one-row pseudo-label, one digit a pixel, '#' void.
func label(s string) *data.LabelMap {
	m := data.NewLabelMap(len(s), 1)
	for i, c := range s {
		m.Pix[i] = uint8(c - '0')
		if c == '#' {
			m.Pix[i] = data.Ignore
		}
	}
	return m
}

func row(m *data.LabelMap) string {
	var b strings.Builder
	for _, v := range m.Pix {
		b.WriteByte('0' + v)
	}
	return b.String()
}

// rectangle is the mask of a rectangle inside a w×h image.
func rectangle(rect image.Rectangle, w, h int) data.RLE {
	pix := make([]uint8, w*h)
	rect = rect.Intersect(image.Rect(0, 0, w, h))
	for y := rect.Min.Y; y < rect.Max.Y; y++ {
		for x := rect.Min.X; x < rect.Max.X; x++ {
			pix[y*w+x] = 1
		}
	}
	return data.EncodeRLE(pix, w, h)
}

// span is the mask of columns [from, to) of a one-row image.
func span(from, to, w int) data.RLE { return rectangle(image.Rect(from, 0, to, 1), w, 1) }

// Each case is one consequence listed in docs/sources.md §1.3.
func TestRefine(t *testing.T) {
	const w = 10
	tests := []struct {
		name    string
		label   string
		masks   []data.RLE
		variant Variant
		want    string
	}{
		{"mask mostly of a class completes it", "0111000000", []data.RLE{span(0, 5, w)}, MaxIoUImp2, "1111100000"},
		{"exactly half is not enough", "0110000000", []data.RLE{span(1, 5, w)}, MaxIoU, "0000000000"},
		{"85 % coverage claims a large mask", "0110000000", []data.RLE{span(0, 9, w)}, MaxIoUImp2, "1111111110"},
		{"the older variant does not", "0110000000", []data.RLE{span(0, 9, w)}, MaxIoUImp, "0000000000"},
		{"pixels under no mask are trusted", "0110000110", []data.RLE{span(1, 3, w)}, MaxIoUImp2, "0110000110"},
		{"without fallback they are dropped", "0110000110", []data.RLE{span(1, 3, w)}, MaxIoU, "0110000000"},
		{"pixels under a mask not chosen are dropped", "0100000110", []data.RLE{span(0, 5, w), span(7, 9, w)}, MaxIoUImp2, "0000000110"},
		{"coverage: the lower class claims first", "0110022000", []data.RLE{span(0, 9, w)}, MaxIoUImp2, "1111122110"},
		{"a higher class paints over a claimed mask", "1111220000", []data.RLE{span(0, 6, w), span(4, 7, w)}, MaxIoUImp2, "1111222000"},
		{"void becomes background", "##11000000", []data.RLE{span(2, 4, w)}, MaxIoUImp2, "0011000000"},
		{"void under a chosen mask is filled", "#111000000", []data.RLE{span(0, 4, w)}, MaxIoUImp2, "1111000000"},
		{"no mask at all keeps the label", "0110220000", nil, MaxIoUImp2, "0110220000"},
		{"score-aware gives a shared mask to the better fit", "0110222200", []data.RLE{span(0, 9, w)}, ScoreAware, "2222222220"},
		{"score-aware paints the better fit on overlap", "1111220000", []data.RLE{span(0, 6, w), span(4, 6, w)}, ScoreAware, "1111220000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Refine(label(tt.label), tt.masks, 3, tt.variant)
			if err != nil {
				t.Fatal(err)
			}
			if row(got) != tt.want {
				t.Errorf("got %s, want %s", row(got), tt.want)
			}
		})
	}
}

// TestRefineCoverageIsInclusive: 17 of 20 pixels are 85 %, 16 are not.
func TestRefineCoverageIsInclusive(t *testing.T) {
	const w = 60
	pseudo := "0000000000" + strings.Repeat("1", 20) + strings.Repeat("0", 30)
	for _, tt := range []struct {
		from int // the mask reaches from here to the end
		want string
	}{
		{13, "0000000000111" + strings.Repeat("1", w-13)},                                     // claimed; the 3 pixels under no mask stay
		{14, "00000000001111" + strings.Repeat("0", w-14)},                                    // not claimed: 16 pixels are dropped
		{30, "0000000000" + strings.Repeat("1", 20) + "0000000000" + strings.Repeat("0", 20)}, // background's mask
	} {
		got, err := Refine(label(pseudo), []data.RLE{span(tt.from, w, w)}, 3, MaxIoUImp2)
		if err != nil {
			t.Fatal(err)
		}
		if row(got) != tt.want {
			t.Errorf("mask from %d: %s, want %s", tt.from, row(got), tt.want)
		}
	}
}

func TestRefineOrderOfMasksDoesNotMatterWithinAClass(t *testing.T) {
	masks := []data.RLE{span(0, 5, 10), span(3, 7, 10), span(6, 10, 10)}
	a, err := Refine(label("0111111000"), masks, 3, MaxIoUImp2)
	if err != nil {
		t.Fatal(err)
	}
	masks[0], masks[2] = masks[2], masks[0]
	b, err := Refine(label("0111111000"), masks, 3, MaxIoUImp2)
	if err != nil {
		t.Fatal(err)
	}
	if row(a) != row(b) {
		t.Errorf("%s, reversed %s", row(a), row(b))
	}
}

func TestRefineErrors(t *testing.T) {
	for _, tt := range []struct {
		name, label string
		mask        data.RLE
		variant     Variant
		want        string
	}{
		{"variant", "00", span(0, 1, 2), "best", "max_iou_imp2"},
		{"mask size", "000", span(0, 1, 2), MaxIoU, "mask 0 is 2×1"},
		{"value", "05", span(0, 1, 2), MaxIoU, "value 5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Refine(label(tt.label), []data.RLE{tt.mask}, 3, tt.variant)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
