package data

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/jpeg" // decoder of photos
	"image/png"
	"io"
	"os"

	"wsss/data/files"
)

// MaxPixels bounds the area of any image or mask that is decoded: a hostile
// header must not allocate the machine's memory.
const MaxPixels = 1 << 28

// VOCPalette is the 256-colour map of PASCAL VOC: bits of the index dealt to
// the high bits of R, G, B in turn (METHODS §9).
func VOCPalette() color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		var r, g, b uint8
		for c, j := i, 7; j >= 0; j, c = j-1, c>>3 {
			r |= uint8(c&1) << j
			g |= uint8(c>>1&1) << j
			b |= uint8(c>>2&1) << j
		}
		p[i] = color.RGBA{r, g, b, 255}
	}
	return p
}

var vocPalette = VOCPalette()

// ReadLabelMap reads a mask: an indexed PNG whose indices are the classes, or
// an 8-bit greyscale PNG whose values are. Colours are never interpreted. The
// error names the file.
func ReadLabelMap(path string) (*LabelMap, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := DecodeLabelMap(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// DecodeLabelMap is ReadLabelMap on a stream.
func DecodeLabelMap(r io.Reader) (*LabelMap, error) {
	raw, err := io.ReadAll(io.LimitReader(r, 1<<30))
	if err != nil {
		return nil, err
	}
	cfg, err := png.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("not a PNG mask: %w", err)
	}
	if int64(cfg.Width)*int64(cfg.Height) > MaxPixels {
		return nil, fmt.Errorf("mask of %d×%d pixels: at most %d are allowed", cfg.Width, cfg.Height, MaxPixels)
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("not a PNG mask: %w", err)
	}
	m := NewLabelMap(cfg.Width, cfg.Height)
	var pix []uint8
	var stride int
	switch p := img.(type) {
	case *image.Paletted:
		pix, stride = p.Pix, p.Stride
	case *image.Gray:
		pix, stride = p.Pix, p.Stride
	default:
		return nil, fmt.Errorf("mask is %T: allowed are indexed-palette and 8-bit greyscale PNG (pixel value = class index)", img)
	}
	for y := 0; y < m.H; y++ {
		copy(m.Pix[y*m.W:(y+1)*m.W], pix[y*stride:])
	}
	return m, nil
}

// EncodeLabelMap writes the map as an indexed PNG with the VOC palette.
func EncodeLabelMap(w io.Writer, m *LabelMap) error {
	img := &image.Paletted{Pix: m.Pix, Stride: m.W, Rect: image.Rect(0, 0, m.W, m.H), Palette: vocPalette}
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	return enc.Encode(w, img)
}

// WriteLabelMap writes an indexed PNG atomically.
func WriteLabelMap(path string, m *LabelMap) error {
	return files.WriteAtomic(path, func(w io.Writer) error { return EncodeLabelMap(w, m) })
}

// ReadImage decodes a JPEG or PNG photo into NRGBA with origin (0,0). The
// error names the file.
func ReadImage(path string) (*image.NRGBA, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	cfg, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%s: not a JPEG or PNG image: %w", path, err)
	}
	if int64(cfg.Width)*int64(cfg.Height) > MaxPixels {
		return nil, fmt.Errorf("%s: image of %d×%d pixels: at most %d are allowed", path, cfg.Width, cfg.Height, MaxPixels)
	}
	img, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ToNRGBA(img), nil
}

// ToNRGBA converts any image to NRGBA with origin (0,0), without a copy where
// it already is one.
func ToNRGBA(img image.Image) *image.NRGBA {
	if p, ok := img.(*image.NRGBA); ok && p.Rect.Min == (image.Point{}) {
		return p
	}
	b := img.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(out, out.Rect, img, b.Min, draw.Src)
	return out
}
