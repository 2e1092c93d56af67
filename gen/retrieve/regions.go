package retrieve

import "wsss/data"

// labelled is a part of a label.
type labelled struct {
	class int
	bits  data.RLE
}

// regionsOf cuts a label into the regions that go into the bank, each eroded;
// those of too few pixels and undecided ones are left out.
func regionsOf(label *data.LabelMap, o options) (out []labelled) {
	for class, present := range label.Present() {
		if !present || class == data.Ignore {
			continue
		}
		whole := []data.RLE{data.EncodeRLE(pixelsOf(label, class), label.W, label.H)}
		if o.Regions == regionsParts {
			whole = parts(whole[0], o.MinArea)
		}
		for _, r := range whole {
			if inner, ok := shrink(r, o); ok {
				out = append(out, labelled{class, inner})
			}
		}
	}
	return out
}

// pixelsOf are those of a class, 1 each, among 0.
func pixelsOf(label *data.LabelMap, class int) []uint8 {
	bits := make([]uint8, len(label.Pix))
	for i, v := range label.Pix {
		if int(v) == class {
			bits[i] = 1
		}
	}
	return bits
}

// shrink erodes a region; where too little would be left, less than asked, if
// the options allow that. It is false for a region that is too small all the
// same.
func shrink(r data.RLE, o options) (data.RLE, bool) {
	if r.Area() < o.MinArea {
		return r, false
	}
	bits := r.Decode()
	for n := o.Erode; ; n /= 2 {
		if small := data.EncodeRLE(erode(bits, r.W, r.H, n), r.W, r.H); small.Area() >= o.MinArea {
			return small, true
		}
		if n == 0 || !o.ErodeLess {
			return r, false
		}
	}
}

// erode keeps the pixels whose square of 2n+1 pixels, as far as it lies in the
// image, is inside: n times a 3×3 erosion, as OpenCV does it at the border.
func erode(bits []uint8, w, h, n int) []uint8 {
	if n == 0 {
		return bits
	}
	across := make([]uint8, len(bits))
	for y := range h {
		narrow(bits[y*w:], across[y*w:], w, 1, n)
	}
	out := make([]uint8, len(bits))
	for x := range w {
		narrow(across[x:], out[x:], h, w, n)
	}
	return out
}

// narrow erodes a line of pixels, step apart, by n at each end of a run that is
// not an end of the line.
func narrow(src, dst []uint8, length, step, n int) {
	for i := 0; i < length; {
		if src[i*step] == 0 {
			i++
			continue
		}
		j := i
		for j < length && src[j*step] != 0 {
			j++
		}
		from, to := i+n, j-n
		if i == 0 {
			from = 0
		}
		if j == length {
			to = length
		}
		for k := from; k < to; k++ {
			dst[k*step] = 1
		}
		i = j
	}
}
