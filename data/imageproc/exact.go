package imageproc

// floatTaps are the weights of one output pixel: input pixels from first on.
type floatTaps struct {
	first   int
	weights []float32
}

func (f Filter) floatTaps(in, out int) []floatTaps {
	all := make([]floatTaps, out)
	f.each(in, out, func(i, first int, exact []float64) {
		all[i] = floatTaps{first, make([]float32, len(exact))}
		for k, w := range exact {
			all[i].weights[k] = float32(w)
		}
	})
	return all
}

// PlanarResized is Resize and Planar without rounding to bytes in between, as
// torchvision resizes an image that is a tensor of floats: [3, h, w], row-major.
func (m *RGB) PlanarResized(w, h int, f Filter, n Norm) []float32 {
	rows := make([]float32, 3*w*m.H) // [3, m.H, w]
	across := f.floatTaps(m.W, w)
	for c := range 3 {
		table := n.table(c)
		values := make([]float32, m.W)
		for y := range m.H {
			for x := range values {
				values[x] = table[m.Pix[3*(y*m.W+x)+c]]
			}
			dst := rows[(c*m.H+y)*w : (c*m.H+y+1)*w]
			for x, t := range across {
				var sum float32
				for k, v := range values[t.first : t.first+len(t.weights)] {
					sum += t.weights[k] * v
				}
				dst[x] = sum
			}
		}
	}
	out := make([]float32, 3*w*h)
	for y, t := range f.floatTaps(m.H, h) {
		for c := range 3 {
			dst := out[(c*h+y)*w : (c*h+y+1)*w]
			for k, wt := range t.weights {
				row := rows[(c*m.H+t.first+k)*w:]
				row = row[:len(dst)]
				for x, v := range row {
					dst[x] += wt * v
				}
			}
		}
	}
	return out
}
