package data

import (
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
// the high bits of R, G, B in turn (docs/sources.md §9).
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

// ReadImage decodes a JPEG or PNG photo into NRGBA with origin (0,0). EXIF
// orientation is not applied: masks and boxes are drawn on the stored pixels.
// The error names the file.
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

// ImageSize reads an image's width and height from its header.
func ImageSize(path string) (image.Point, error) {
	f, err := os.Open(path)
	if err != nil {
		return image.Point{}, err
	}
	defer f.Close()
	cfg, _, err := image.DecodeConfig(f)
	if err != nil {
		return image.Point{}, fmt.Errorf("%s: not a JPEG or PNG image: %w", path, err)
	}
	return image.Pt(cfg.Width, cfg.Height), nil
}

// ToNRGBA converts any image to NRGBA with origin (0,0), without a copy where
// it already is one.
func ToNRGBA(img image.Image) *image.NRGBA {
	if p, ok := img.(*image.NRGBA); ok && p.Rect.Min == (image.Point{}) {
		return p
	}
	b := img.Bounds()
	rect := image.Rect(0, 0, b.Dx(), b.Dy())
	switch img.(type) {
	case *image.YCbCr, *image.Gray, *image.CMYK:
		// Opaque pixels are the same bytes in RGBA, for which package draw has
		// fast loops.
		out := image.NewRGBA(rect)
		draw.Draw(out, rect, img, b.Min, draw.Src)
		return (*image.NRGBA)(out)
	}
	out := image.NewNRGBA(rect)
	draw.Draw(out, rect, img, b.Min, draw.Src)
	return out
}
