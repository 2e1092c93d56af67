package photo

import (
	"encoding/binary"
	"image"
)

// fromWebP converts the planes of a lossy WebP as libwebp does: chroma by its
// upsampler of weights 9, 3, 3, 1, then to RGB from the range 16..235
// (src/dsp/upsampling.c and yuv.h). Package image would take them for JPEG's.
// It is nil for other images.
func fromWebP(img image.Image) *image.NRGBA {
	var ycc *image.YCbCr
	switch p := img.(type) {
	case *image.YCbCr:
		ycc = p
	case *image.NYCbCrA:
		ycc = &p.YCbCr
	default:
		return nil
	}
	w, h := ycc.Rect.Dx(), ycc.Rect.Dy()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	u, v := make([]uint8, w), make([]uint8, w)
	half, rows := (w+1)/2, (h+1)/2
	for y := range h {
		// The nearer row of chroma, and the one on the other side.
		near := y / 2
		far := min(max(near+2*(y&1)-1, 0), rows-1)
		a, b := near*ycc.CStride, far*ycc.CStride
		webpChroma(u, ycc.Cb[a:][:half], ycc.Cb[b:][:half])
		webpChroma(v, ycc.Cr[a:][:half], ycc.Cr[b:][:half])
		webpRow(out.Pix[y*out.Stride:][:4*w], ycc.Y[y*ycc.YStride:][:w], u, v)
	}
	return out
}

// webpChroma widens a row of chroma.
func webpChroma(out, near, far []uint8) {
	last := len(near) - 1
	n, f := int(near[0]), int(far[0])
	out[0] = uint8((3*n + f + 2) >> 2)
	for x := 1; x <= last; x++ {
		n2, f2 := int(near[x]), int(far[x])
		sum := n + n2 + f + f2 + 8
		out[2*x-1] = uint8(((sum+2*(f+n2))>>3 + n) >> 1)
		if 2*x < len(out) {
			out[2*x] = uint8(((sum+2*(n+f2))>>3 + n2) >> 1)
		}
		n, f = n2, f2
	}
	if len(out)&1 == 0 {
		out[len(out)-1] = uint8((3*n + f + 2) >> 2)
	}
}

func webpRow(out, luma, u, v []uint8) {
	for x, l := range luma {
		y, u, v := int32(l)*19077>>8, int32(u[x]), int32(v[x])
		r := clamp((y + v*26149>>8 - 14234) >> 6)
		g := clamp((y - u*6419>>8 - v*13320>>8 + 8708) >> 6)
		b := clamp((y + u*33050>>8 - 17685) >> 6)
		binary.LittleEndian.PutUint32(out[4*x:], r|g<<8|b<<16|255<<24)
	}
}
