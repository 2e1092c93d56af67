package photo

import (
	"image"
	"image/color"
	"image/draw"
)

// opaque converts a decoded image to NRGBA with origin (0,0) and without alpha,
// as Pillow's convert("RGB") does: transparent pixels keep their colour, of 16
// bits the upper 8 count, CMYK is mixed by multiplying with the white that
// black leaves.
func opaque(img image.Image) *image.NRGBA {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if p, ok := img.(*image.NRGBA); ok && b.Min == (image.Point{}) && p.Stride == 4*w {
		return makeOpaque(p)
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	switch p := img.(type) {
	case *image.Gray:
		each(out, func(y int) []uint8 { return p.Pix[p.PixOffset(b.Min.X, b.Min.Y+y):] }, 1, func(o, in []uint8) { o[0], o[1], o[2] = in[0], in[0], in[0] })
	case *image.Gray16:
		each(out, func(y int) []uint8 { return p.Pix[p.PixOffset(b.Min.X, b.Min.Y+y):] }, 2, func(o, in []uint8) { o[0], o[1], o[2] = in[0], in[0], in[0] })
	case *image.NRGBA:
		each(out, func(y int) []uint8 { return p.Pix[p.PixOffset(b.Min.X, b.Min.Y+y):] }, 4, func(o, in []uint8) { copy(o, in[:3]) })
	case *image.NRGBA64:
		each(out, func(y int) []uint8 { return p.Pix[p.PixOffset(b.Min.X, b.Min.Y+y):] }, 8, func(o, in []uint8) { o[0], o[1], o[2] = in[0], in[2], in[4] })
	case *image.CMYK:
		each(out, func(y int) []uint8 { return p.Pix[p.PixOffset(b.Min.X, b.Min.Y+y):] }, 4, fromCMYK)
	case *image.Paletted:
		colours := opaqueColours(p.Palette)
		each(out, func(y int) []uint8 { return p.Pix[p.PixOffset(b.Min.X, b.Min.Y+y):] }, 1, func(o, in []uint8) { copy(o, colours[in[0]][:]) })
	case *image.RGBA64:
		if p.Opaque() {
			each(out, func(y int) []uint8 { return p.Pix[p.PixOffset(b.Min.X, b.Min.Y+y):] }, 8, func(o, in []uint8) { o[0], o[1], o[2] = in[0], in[2], in[4] })
			break
		}
		draw.Draw(out, out.Rect, img, b.Min, draw.Src)
	default:
		draw.Draw(out, out.Rect, img, b.Min, draw.Src)
	}
	return makeOpaque(out)
}

func makeOpaque(img *image.NRGBA) *image.NRGBA {
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 255
	}
	return img
}

// each converts row by row: row gives the bytes from the first pixel of a row
// on, of so many bytes per pixel, one the colour of a single one.
func each(out *image.NRGBA, row func(y int) []uint8, size int, one func(out, in []uint8)) {
	for y := range out.Rect.Dy() {
		in, o := row(y), out.Pix[y*out.Stride:][:out.Stride]
		for ; len(o) > 0; o, in = o[4:], in[size:] {
			one(o, in)
		}
	}
}

// fromCMYK is Pillow's conversion, where 255 is full ink.
func fromCMYK(out, in []uint8) {
	white := 255 - int(in[3])
	for c := range 3 {
		t := int(in[c])*white + 128
		out[c] = uint8(max(white-(t>>8+t)>>8, 0))
	}
}

// opaqueColours is a palette without alpha; indices beyond it are black.
func opaqueColours(p color.Palette) (out [256][3]uint8) {
	for i, c := range p[:min(len(p), 256)] {
		n, ok := c.(color.NRGBA)
		if !ok {
			n = color.NRGBAModel.Convert(c).(color.NRGBA)
		}
		out[i] = [3]uint8{n.R, n.G, n.B}
	}
	return out
}
