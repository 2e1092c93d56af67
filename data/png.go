package data

import (
	"image"
	"image/color"
	"image/png"
	"io"

	"wsss/checkpoints/files"
)

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
