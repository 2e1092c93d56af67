package imageproc

func toFloat(w float64) float32 { return float32(w) }

// PlanarResized is Resize and Planar without rounding to bytes in between, as
// torchvision resizes an image that is a tensor of floats: [3, h, w], row-major.
func (m *RGB) PlanarResized(w, h int, f Filter, n Norm) []float32 {
	rows := make([]float32, 3*w*m.H) // [3, m.H, w]
	across := tapsOf(f, m.W, w, toFloat)
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
	for y, t := range tapsOf(f, m.H, h, toFloat) {
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
