package data

import (
	"bufio"
	"bytes"
	"errors"
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

// ReadLabelMap reads a mask: an indexed PNG whose indices are the classes, or
// a greyscale PNG of at most 8 bits whose raw values are (docs/sources.md §9). Colours
// are never interpreted. The error names the file.
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
	var header bytes.Buffer
	tee := io.TeeReader(r, &header)
	cfg, err := png.DecodeConfig(tee)
	if err != nil {
		return nil, fmt.Errorf("not a PNG mask: %w", err)
	}
	if int64(cfg.Width)*int64(cfg.Height) > MaxPixels {
		return nil, fmt.Errorf("mask of %d×%d pixels: at most %d are allowed", cfg.Width, cfg.Height, MaxPixels)
	}
	if header.Len() < ihdrEnd {
		return nil, errors.New("not a PNG mask: it lacks its header")
	}
	depth, colour := header.Bytes()[ihdrDepth], header.Bytes()[ihdrColour]
	if colour != pngIndexed && (colour != pngGrey || depth > 8) {
		return nil, maskTypeError(depth, colour)
	}
	img, err := png.Decode(io.MultiReader(&header, r))
	if err != nil {
		return nil, fmt.Errorf("not a PNG mask: %w", err)
	}
	switch p := img.(type) {
	case *image.Paletted:
		return labelsFrom(p.Pix, p.Stride, cfg.Width, cfg.Height, 1), nil
	case *image.Gray:
		// The decoder stretches 1, 2 and 4-bit grey to 0..255; the file's own
		// values are the classes.
		return labelsFrom(p.Pix, p.Stride, cfg.Width, cfg.Height, 255/(1<<depth-1)), nil
	}
	return nil, errors.New("mask is greyscale with a transparent colour: " + maskTypesAllowed)
}

// Offsets in a PNG file: 8 bytes of signature, 8 of chunk head, then IHDR with
// width, height, bit depth and colour type.
const (
	ihdrDepth  = 24
	ihdrColour = 25
	ihdrEnd    = 26

	pngGrey    = 0
	pngIndexed = 3

	maskTypesAllowed = "allowed are indexed-palette and greyscale PNG of up to 8 bits (pixel value = class index)"
)

func maskTypeError(depth, colour uint8) error {
	kind := map[uint8]string{0: "greyscale", 2: "RGB colour", 4: "greyscale with alpha", 6: "RGB colour with alpha"}[colour]
	return fmt.Errorf("mask is %d-bit %s: %s", depth, kind, maskTypesAllowed)
}

// labelsFrom copies decoded pixels, each divided by scale.
func labelsFrom(pix []uint8, stride, w, h int, scale uint8) *LabelMap {
	m := NewLabelMap(w, h)
	for y := range h {
		copy(m.Pix[y*w:(y+1)*w], pix[y*stride:])
	}
	if scale > 1 {
		for i := range m.Pix {
			m.Pix[i] /= scale
		}
	}
	return m
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
