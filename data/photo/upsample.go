package photo

import "image"

// A chroma is a sample of Cb and one of Cr, the latter in the upper 16 bits:
// both are filtered at once.
type chroma = uint32

// both is a number for both samples.
func both(n uint32) chroma { return n | n<<16 }

// upsampler gives rows of chroma at full size.
type upsampler struct {
	cb, cr    []uint8
	stride    int
	w, h      int // real samples of a plane, without the coder's padding
	sx, sy    int // horizontal and vertical ratio
	near, far []chroma
	out       []chroma
}

func newUpsampler(img *image.YCbCr) *upsampler {
	ratio := map[image.YCbCrSubsampleRatio]image.Point{
		image.YCbCrSubsampleRatio444: {X: 1, Y: 1}, image.YCbCrSubsampleRatio422: {X: 2, Y: 1},
		image.YCbCrSubsampleRatio420: {X: 2, Y: 2}, image.YCbCrSubsampleRatio440: {X: 1, Y: 2},
		image.YCbCrSubsampleRatio411: {X: 4, Y: 1}, image.YCbCrSubsampleRatio410: {X: 4, Y: 2},
	}[img.SubsampleRatio]
	at := img.COffset(img.Rect.Min.X, img.Rect.Min.Y)
	u := &upsampler{cb: img.Cb[at:], cr: img.Cr[at:], stride: img.CStride, sx: ratio.X, sy: ratio.Y}
	u.w, u.h = (img.Rect.Dx()+u.sx-1)/u.sx, (img.Rect.Dy()+u.sy-1)/u.sy
	u.near, u.far, u.out = make([]chroma, u.w), make([]chroma, u.w), make([]chroma, u.w*u.sx)
	return u
}

// load reads a row of the planes.
func (u *upsampler) load(row []chroma, y int) []chroma {
	cb, cr := u.cb[y*u.stride:][:len(row)], u.cr[y*u.stride:][:len(row)]
	for x := range row {
		row[x] = chroma(cb[x]) | chroma(cr[x])<<16
	}
	return row
}

// row is the chroma of one row of the image, 8 bits each, valid until the next
// call.
func (u *upsampler) row(y int) []chroma {
	near := u.load(u.near, y/u.sy)
	// The other row that the triangle filter takes: above, then below; at the
	// borders the same one.
	other := y/u.sy + 2*(y&1) - 1
	switch {
	case u.sx == 1 && u.sy == 1:
		return near
	case u.sx == 1:
		blend(near, u.load(u.far, min(max(other, 0), u.h-1)), both(uint32(1+y&1)))
		return near
	case u.sx == 2 && u.w > 2 && u.sy == 1:
		widen(u.out, near)
	case u.sx == 2 && u.w > 2:
		widenSums(u.out, sums(near, u.load(u.far, min(max(other, 0), u.h-1))))
	default:
		for x := range u.out {
			u.out[x] = near[x/u.sx]
		}
	}
	return u.out
}

const low = 0x00ff00ff

// blend is libjpeg-turbo's filter for halved height: 3/4 of the nearer row, 1/4
// of the other one, rounded by turns down and up.
func blend(near, far []chroma, bias chroma) {
	for x, v := range near {
		near[x] = (3*v + far[x] + bias) >> 2 & low
	}
}

// widen is libjpeg's filter for halved width; in has more than two samples.
func widen(out, in []chroma) {
	last := len(in) - 1
	before, this := in[0], in[0]
	for x, next := range in[1:] {
		o := out[2*x : 2*x+2 : 2*x+2]
		o[0], o[1] = (3*this+before+both(1))>>2&low, (3*this+next+both(2))>>2&low
		before, this = this, next
	}
	out[2*last], out[2*last+1] = (3*this+before+both(1))>>2&low, this
}

// sums weights two rows, in near.
func sums(near, far []chroma) []chroma {
	far = far[:len(near)]
	for x, v := range near {
		near[x] = 3*v + far[x]
	}
	return near
}

// widenSums is libjpeg's filter for halved width and height.
func widenSums(out, in []chroma) {
	last := len(in) - 1
	before, this := in[0], in[0]
	for x, next := range in[1:] {
		o := out[2*x : 2*x+2 : 2*x+2]
		o[0], o[1] = (3*this+before+both(8))>>4&low, (3*this+next+both(7))>>4&low
		before, this = this, next
	}
	out[2*last], out[2*last+1] = (3*this+before+both(8))>>4&low, (4*this+both(7))>>4&low
}
