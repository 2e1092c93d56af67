package photo

import (
	"encoding/binary"
	"image"
)

// fromYCbCr converts the planes of a JPEG as libjpeg-turbo does by default,
// and so Pillow, OpenCV and torchvision: chroma by the triangle filter where
// it is halved in a direction, then to RGB. Other samplings repeat samples.
func fromYCbCr(img *image.YCbCr) *image.NRGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	up := newUpsampler(img)
	for y := range h {
		convertRow(out.Pix[y*out.Stride:][:4*w], img.Y[img.YOffset(img.Rect.Min.X, img.Rect.Min.Y+y):][:w], up.row(y)[:w])
	}
	return out
}

// libjpeg's factors of the conversion, of 16 bits of fraction (jdcolor.c).
const (
	half    = 1 << 15
	crRed   = 91881  // 1.40200
	cbBlue  = 116130 // 1.77200
	crGreen = 46802  // 0.71414
	cbGreen = 22554  // 0.34414
)

func convertRow(out, luma []uint8, chroma []chroma) {
	chroma = chroma[:len(luma)]
	for x, l := range luma {
		y, b, r := int32(l), int32(chroma[x]&0xff)-128, int32(chroma[x]>>16)-128
		red := clamp(y + (crRed*r+half)>>16)
		green := clamp(y + (half-cbGreen*b-crGreen*r)>>16)
		blue := clamp(y + (cbBlue*b+half)>>16)
		binary.LittleEndian.PutUint32(out[4*x:4*x+4], red|green<<8|blue<<16|255<<24)
	}
}

func clamp(v int32) uint32 {
	if uint32(v) > 255 {
		return uint32(^(v >> 31)) & 255 // 0 below, 255 above
	}
	return uint32(v)
}
