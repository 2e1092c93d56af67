package data

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVOCPalette checks the colours named in docs/sources.md §9.
func TestVOCPalette(t *testing.T) {
	p := VOCPalette()
	if len(p) != 256 {
		t.Fatalf("palette has %d colours, want 256", len(p))
	}
	for i, want := range map[int]color.RGBA{
		0: {0, 0, 0, 255}, 1: {128, 0, 0, 255}, 2: {0, 128, 0, 255}, 15: {192, 128, 128, 255},
		20: {0, 64, 128, 255}, 255: {224, 224, 192, 255},
	} {
		if p[i] != want {
			t.Errorf("colour %d is %v, want %v", i, p[i], want)
		}
	}
}

func chunk(out *bytes.Buffer, kind string, body []byte) {
	binary.Write(out, binary.BigEndian, uint32(len(body)))
	raw := append([]byte(kind), body...)
	out.Write(raw)
	binary.Write(out, binary.BigEndian, crc32.ChecksumIEEE(raw))
}

// rawPNG writes a PNG of any bit depth and colour type from packed rows.
func rawPNG(w, h int, depth, colour uint8, extra map[string][]byte, rows ...[]byte) []byte {
	var out, body bytes.Buffer
	out.WriteString("\x89PNG\r\n\x1a\n")
	ihdr := binary.BigEndian.AppendUint32(nil, uint32(w))
	ihdr = binary.BigEndian.AppendUint32(ihdr, uint32(h))
	chunk(&out, "IHDR", append(ihdr, depth, colour, 0, 0, 0))
	for _, kind := range []string{"PLTE", "tRNS"} {
		if extra[kind] != nil {
			chunk(&out, kind, extra[kind])
		}
	}
	z := zlib.NewWriter(&body)
	for _, row := range rows {
		z.Write(append([]byte{0}, row...))
	}
	z.Close()
	chunk(&out, "IDAT", body.Bytes())
	chunk(&out, "IEND", nil)
	return out.Bytes()
}

func TestDecodeLabelMap(t *testing.T) {
	palette := make([]byte, 3*256)
	tests := []struct {
		name  string
		png   []byte
		want  []uint8 // 4×1 pixels
		fault string
	}{
		{"1-bit palette", rawPNG(4, 1, 1, 3, map[string][]byte{"PLTE": palette[:6]}, []byte{0b0110_0000}), []uint8{0, 1, 1, 0}, ""},
		{"2-bit palette", rawPNG(4, 1, 2, 3, map[string][]byte{"PLTE": palette[:12]}, []byte{0b00_01_10_11}), []uint8{0, 1, 2, 3}, ""},
		{"4-bit palette", rawPNG(4, 1, 4, 3, map[string][]byte{"PLTE": palette[:48]}, []byte{0x0f, 0x17}), []uint8{0, 15, 1, 7}, ""},
		{"8-bit palette", rawPNG(4, 1, 8, 3, map[string][]byte{"PLTE": palette}, []byte{0, 20, 255, 7}), []uint8{0, 20, 255, 7}, ""},
		{"palette with transparency", rawPNG(4, 1, 8, 3, map[string][]byte{"PLTE": palette, "tRNS": {0, 255}}, []byte{0, 20, 255, 7}), []uint8{0, 20, 255, 7}, ""},
		{"palette of fewer colours", rawPNG(4, 1, 8, 3, map[string][]byte{"PLTE": palette[:6]}, []byte{0, 20, 255, 7}), []uint8{0, 20, 255, 7}, ""},
		{"1-bit grey", rawPNG(4, 1, 1, 0, nil, []byte{0b0110_0000}), []uint8{0, 1, 1, 0}, ""},
		{"2-bit grey", rawPNG(4, 1, 2, 0, nil, []byte{0b00_01_10_11}), []uint8{0, 1, 2, 3}, ""},
		{"4-bit grey", rawPNG(4, 1, 4, 0, nil, []byte{0x0f, 0x17}), []uint8{0, 15, 1, 7}, ""},
		{"8-bit grey", rawPNG(4, 1, 8, 0, nil, []byte{0, 20, 255, 7}), []uint8{0, 20, 255, 7}, ""},
		{"grey with transparency", rawPNG(4, 1, 8, 0, map[string][]byte{"tRNS": {0, 7}}, []byte{0, 20, 255, 7}), []uint8{0, 20, 255, 0}, ""},
		{"2-bit grey with transparency", rawPNG(4, 1, 2, 0, map[string][]byte{"tRNS": {0, 3}}, []byte{0b00_01_10_11}), []uint8{0, 1, 2, 0}, ""},
		{"16-bit grey", rawPNG(4, 1, 16, 0, nil, []byte{0, 0, 0, 20, 0, 255, 0, 7}), []uint8{0, 20, 255, 7}, ""},
		{"16-bit grey with void", rawPNG(4, 1, 16, 0, nil, []byte{0, 0, 0, 20, 255, 255, 0, 7}), []uint8{0, 20, 255, 7}, ""},
		{"stretched 16-bit grey", rawPNG(4, 1, 16, 0, nil, []byte{0, 0, 20, 20, 255, 255, 7, 7}), []uint8{0, 20, 255, 7}, ""},
		{"16-bit instances", rawPNG(4, 1, 16, 0, nil, []byte{0, 0, 1, 44, 0, 255, 0, 7}), nil, "pixel (1,0) of a 16-bit mask has value 300"},
		{"RGB in VOC's colours", rawPNG(4, 1, 8, 2, nil, []byte{0, 0, 0, 128, 0, 0, 224, 224, 192, 0, 64, 128}), []uint8{0, 1, 255, 20}, ""},
		{"RGB of grey numbers", rawPNG(4, 1, 8, 2, nil, []byte{0, 0, 0, 20, 20, 20, 255, 255, 255, 7, 7, 7}), []uint8{0, 20, 255, 7}, ""},
		{"RGB of no class", rawPNG(4, 1, 8, 2, nil, []byte{0, 0, 0, 128, 0, 1, 0, 0, 0, 1, 2, 3}), nil, "pixel (1,0) of a colour mask is #800001, which stands for no class in VOC's palette"},
		{"RGBA", rawPNG(4, 1, 8, 6, nil, []byte{128, 0, 0, 0, 128, 0, 0, 255, 0, 128, 0, 255, 0, 0, 0, 255}), []uint8{0, 1, 2, 0}, ""},
		{"grey alpha", rawPNG(4, 1, 8, 4, nil, []byte{3, 0, 3, 255, 255, 255, 0, 255}), []uint8{0, 3, 255, 0}, ""},
		{"huge header", rawPNG(1<<15, 1<<15, 8, 0, nil), nil, "at most"},
		{"truncated", rawPNG(4, 1, 8, 0, nil, []byte{0, 20, 255, 7})[:45], nil, "not a PNG mask"},
		{"empty", nil, nil, "not a PNG mask"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := DecodeLabelMap(bytes.NewReader(tt.png))
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) {
					t.Fatalf("error %v, want one that contains %q", err, tt.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if m.W != 4 || m.H != 1 || !bytes.Equal(m.Pix, tt.want) {
				t.Errorf("got %d×%d %v, want %v", m.W, m.H, m.Pix, tt.want)
			}
		})
	}
}

func TestLabelMapRoundTrip(t *testing.T) {
	m := NewLabelMap(257, 3)
	for i := range m.Pix {
		m.Pix[i] = uint8(i)
	}
	path := filepath.Join(t.TempDir(), "new", "mask.png")
	if err := WriteLabelMap(path, m); err != nil {
		t.Fatal(err)
	}
	got, err := ReadLabelMap(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.W != m.W || got.H != m.H || !bytes.Equal(got.Pix, m.Pix) {
		t.Error("mask changed on its way through a file")
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := img.(*image.Paletted); !ok || p.Palette[20] != (color.RGBA{0, 64, 128, 255}) {
		t.Errorf("written mask is %T without VOC's palette", img)
	}
}

func TestReadLabelMapNamesFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rgb.png")
	if err := os.WriteFile(path, rawPNG(1, 1, 8, 2, nil, []byte{1, 2, 3}), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLabelMap(path); err == nil || !strings.Contains(err.Error(), "rgb.png") {
		t.Errorf("error %v does not name the file", err)
	}
}

// TestReadImageCMYK compares with what Pillow 9.4 makes of the same file.
func TestReadImageCMYK(t *testing.T) {
	img, err := ReadImage("testdata/cmyk.jpg")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		x    int
		want color.NRGBA
	}{{4, color.NRGBA{254, 0, 0, 255}}, {24, color.NRGBA{0, 102, 204, 255}}} {
		got := img.NRGBAAt(tt.x, 4)
		for i, d := range []int{int(got.R) - int(tt.want.R), int(got.G) - int(tt.want.G), int(got.B) - int(tt.want.B)} {
			if d < -3 || d > 3 {
				t.Errorf("pixel %d channel %d: got %v, want %v ± 3", tt.x, i, got, tt.want)
			}
		}
	}
}

// TestToNRGBA checks the fast paths against the generic conversion.
func TestToNRGBA(t *testing.T) {
	rect := image.Rect(3, 5, 20, 17)
	ycc := image.NewYCbCr(rect, image.YCbCrSubsampleRatio420)
	for i := range ycc.Y {
		ycc.Y[i] = uint8(i * 7)
	}
	for i := range ycc.Cb {
		ycc.Cb[i], ycc.Cr[i] = uint8(i*13), uint8(i*29)
	}
	grey, cmyk, rgba := image.NewGray(rect), image.NewCMYK(rect), image.NewRGBA(rect)
	for i := range grey.Pix {
		grey.Pix[i] = uint8(i)
	}
	for i := range cmyk.Pix {
		cmyk.Pix[i] = uint8(i * 3)
	}
	for i := 0; i < len(rgba.Pix); i += 4 {
		copy(rgba.Pix[i:], []uint8{10, 20, 30, 60})
	}
	for _, img := range []image.Image{ycc, grey, cmyk, rgba} {
		want := image.NewNRGBA(image.Rect(0, 0, rect.Dx(), rect.Dy()))
		draw.Draw(want, want.Rect, struct{ image.Image }{img}, rect.Min, draw.Src)
		got := ToNRGBA(img)
		if got.Rect != want.Rect || !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%T: fast conversion differs", img)
		}
	}
	same := image.NewNRGBA(image.Rect(0, 0, 2, 2))
	if ToNRGBA(same) != same {
		t.Error("an NRGBA image was copied")
	}
}

func TestReadImageFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.jpg")
	for name, raw := range map[string][]byte{
		"not a photo": []byte("hello"),
		"at most":     rawPNG(1<<15, 1<<15, 8, 2, nil),
	} {
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadImage(path); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "bad.jpg") {
			t.Errorf("error %v, want bad.jpg and %q", err, name)
		}
	}
}

func FuzzDecodeLabelMap(f *testing.F) {
	f.Add(rawPNG(4, 1, 4, 0, nil, []byte{0x0f, 0x17}))
	f.Add(rawPNG(4, 1, 8, 3, map[string][]byte{"PLTE": make([]byte, 768)}, []byte{0, 20, 255, 7}))
	f.Add(rawPNG(4, 1, 16, 0, nil, make([]byte, 8)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if cfg, err := png.DecodeConfig(bytes.NewReader(raw)); err == nil && cfg.Width*cfg.Height > 1<<16 {
			return // a larger image only takes longer
		}
		m, err := DecodeLabelMap(bytes.NewReader(raw))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := EncodeLabelMap(&out, m); err != nil {
			t.Fatal(err)
		}
		again, err := DecodeLabelMap(&out)
		if err != nil || !bytes.Equal(again.Pix, m.Pix) {
			t.Fatalf("round trip: %v", err)
		}
	})
}
