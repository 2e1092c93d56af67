package data

import (
	"bytes"
	"strings"
	"testing"
)

// TestMaskCoding reads masks by a table of colours, by few classes, and as
// masks of one class.
func TestMaskCoding(t *testing.T) {
	table := map[RGB]uint8{{0, 0, 0}: 0, {255, 0, 0}: 2, {255, 255, 255}: 1, {1, 2, 3}: Ignore}
	palette := func(rgb ...byte) map[string][]byte { return map[string][]byte{"PLTE": rgb} }
	for _, tc := range []struct {
		name   string
		coding MaskCoding
		png    []byte
		want   []uint8
		fault  string
	}{
		{"table", MaskCoding{Colours: table}, rawPNG(4, 1, 8, 2, nil, []byte{0, 0, 0, 255, 0, 0, 255, 255, 255, 1, 2, 3}), []uint8{0, 2, 1, 255}, ""},
		{"not in the table", MaskCoding{Colours: table}, rawPNG(4, 1, 8, 2, nil, []byte{0, 0, 0, 255, 0, 0, 9, 9, 9, 1, 2, 3}), nil, "pixel (2,0) of a colour mask is #090909"},
		{"palette of the table", MaskCoding{Colours: table}, rawPNG(4, 1, 8, 3, palette(255, 0, 0, 0, 0, 0, 255, 255, 255), []byte{0, 1, 2, 0}), []uint8{2, 0, 1, 2}, ""},
		{"palette of other colours", MaskCoding{Colours: table}, rawPNG(4, 1, 8, 3, palette(0, 0, 0, 128, 0, 0), []byte{0, 1, 1, 0}), []uint8{0, 1, 1, 0}, ""},
		{"grey of VOC", MaskCoding{Classes: 21}, rawPNG(4, 1, 8, 2, nil, []byte{0, 0, 0, 128, 128, 128, 0, 0, 0, 0, 0, 0}), []uint8{0, 7, 0, 0}, ""},
		{"class beyond the table", MaskCoding{Classes: 3}, rawPNG(4, 1, 8, 2, nil, []byte{128, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), nil, "pixel (0,0) of a colour mask is #808000"},
		{"binary", MaskCoding{Binary: true}, rawPNG(4, 1, 8, 0, nil, []byte{0, 255, 255, 0}), []uint8{0, 1, 1, 0}, ""},
		{"not binary", MaskCoding{Binary: true}, rawPNG(4, 1, 8, 0, nil, []byte{0, 255, 2, 0}), []uint8{0, 255, 2, 0}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, err := tc.coding.Decode(bytes.NewReader(tc.png))
			if tc.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fault) {
					t.Fatalf("error %v, want one that contains %q", err, tc.fault)
				}
				return
			}
			if err != nil || !bytes.Equal(m.Pix, tc.want) {
				t.Errorf("got %+v, error %v: want %v", m, err, tc.want)
			}
		})
	}
	photo := make([]byte, 3*128*64)
	for i := range photo {
		photo[i] = byte(i * i >> (i % 7))
	}
	if _, err := DecodeLabelMap(bytes.NewReader(rawPNG(128*64, 1, 8, 2, nil, photo))); err == nil || !strings.Contains(err.Error(), "is it a photo?") {
		t.Errorf("a photo as mask: error %v", err)
	}
}
