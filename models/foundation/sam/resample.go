package sam

import "math"

// taps lists, for each output position along one axis, the inputs it blends
// and their weights.
type taps struct {
	n       int // inputs per output
	index   []int32
	weights []float32 // n per output
}

// bilinearTaps are PyTorch's interpolate(mode="bilinear", align_corners=False)
// from in to out samples; only the first keep of them.
func bilinearTaps(in, out, keep int) taps {
	t := taps{n: 2, index: make([]int32, 2*keep), weights: make([]float32, 2*keep)}
	scale := float32(in) / float32(out)
	for i := range keep {
		src := max(scale*(float32(i)+0.5)-0.5, 0)
		i0 := min(int32(src), int32(in-1))
		l := src - float32(i0)
		t.index[2*i], t.index[2*i+1] = i0, min(i0+1, int32(in-1))
		t.weights[2*i], t.weights[2*i+1] = 1-l, l
	}
	return t
}

// bicubicTaps are PyTorch's interpolate(mode="bicubic", align_corners=False):
// a = -0.75, the border repeated.
func bicubicTaps(in, out int) taps {
	const a = -0.75
	near := func(x float32) float32 { return ((a+2)*x-(a+3))*x*x + 1 }
	far := func(x float32) float32 { return ((a*x-5*a)*x+8*a)*x - 4*a }
	t := taps{n: 4, index: make([]int32, 4*out), weights: make([]float32, 4*out)}
	scale := float32(in) / float32(out)
	for i := range out {
		src := scale*(float32(i)+0.5) - 0.5
		floor := float32(math.Floor(float64(src)))
		l := src - floor
		for k := range 4 {
			t.index[4*i+k] = min(max(int32(floor)-1+int32(k), 0), int32(in-1))
		}
		copy(t.weights[4*i:], []float32{far(l + 1), near(l), near(1 - l), far(2 - l)})
	}
	return t
}

// resample blends along x, then along y. src is row-major, w wide; the result
// has as many columns and rows as xs and ys have outputs.
func resample(src []float32, w int, xs, ys taps) []float32 {
	outW, outH := len(xs.index)/xs.n, len(ys.index)/ys.n
	lastRow := 0
	for _, i := range ys.index {
		lastRow = max(lastRow, int(i))
	}
	rows := make([]float32, (lastRow+1)*outW)
	for y := range lastRow + 1 {
		blendRow(rows[y*outW:(y+1)*outW], src[y*w:(y+1)*w], xs)
	}
	dst := make([]float32, outW*outH)
	for y := range outH {
		out := dst[y*outW : (y+1)*outW]
		for k := range ys.n {
			wt := ys.weights[y*ys.n+k]
			if wt == 0 {
				continue
			}
			row := rows[int(ys.index[y*ys.n+k])*outW:]
			row = row[:len(out)]
			for x, v := range row {
				out[x] += wt * v
			}
		}
	}
	return dst
}

func blendRow(dst, src []float32, xs taps) {
	if xs.n == 2 {
		for x := range dst {
			dst[x] = xs.weights[2*x]*src[xs.index[2*x]] + xs.weights[2*x+1]*src[xs.index[2*x+1]]
		}
		return
	}
	for x := range dst {
		var sum float32
		for k := range xs.n {
			sum += xs.weights[x*xs.n+k] * src[xs.index[x*xs.n+k]]
		}
		dst[x] = sum
	}
}

// Enlarge resamples logits of lowW×lowH cells, row-major, that cover a whole image to its
// w×h pixels, as PyTorch's interpolate(mode="bilinear", align_corners=False).
func Enlarge(logits []float32, lowW, lowH, w, h int) []float32 {
	return resample(logits, lowW, bilinearTaps(lowW, w, w), bilinearTaps(lowH, h, h))
}
