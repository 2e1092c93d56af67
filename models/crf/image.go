package crf

import (
	"image"

	"wsss/data/colour"
)

// ImageOf packs an image for the field. wrapped subtracts the mean colour and
// keeps the low 8 bits of what is left, cut towards 0, as deeplab-pytorch and
// CLIP-ES do (docs/sources.md §6.3, §8.1).
func ImageOf(img *image.NRGBA, wrapped bool) Image {
	size := img.Rect.Size()
	out := Image{W: size.X, H: size.Y, RGB: make([]uint8, 0, 3*size.X*size.Y)}
	for y := range size.Y {
		row := img.Pix[y*img.Stride : y*img.Stride+4*size.X]
		for x := range size.X {
			for c := range 3 {
				v := row[4*x+c]
				if wrapped {
					v = uint8(int(float64(v) - colour.CaffeMean[c]))
				}
				out.RGB = append(out.RGB, v)
			}
		}
	}
	return out
}
