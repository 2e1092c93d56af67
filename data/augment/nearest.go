package augment

// nearestTable gives the source index of every output index of PIL's NEAREST
// resize. PIL adds up the step in double precision instead of multiplying, so
// the table does too: a product rounds some coordinates the other way.
func nearestTable(src, dst int) []int {
	table := make([]int, dst)
	step := float64(src) / float64(dst)
	at := step * 0.5
	for i := range table {
		table[i] = min(int(at), src-1)
		at += step
	}
	return table
}

// ResizeLabels resizes a label map of w×h pixels by PIL's nearest rule into
// dst of dw×dh: how the reference brings labels to the grid of the logits
// (docs/sources.md §8.1). OpenCV's and PyTorch's nearest pick other pixels.
func ResizeLabels(dst []uint8, dw, dh int, src []uint8, w, h int) {
	if dw == w && dh == h {
		copy(dst, src)
		return
	}
	xs, ys := nearestTable(w, dw), nearestTable(h, dh)
	for y, sy := range ys {
		out, row := dst[y*dw:(y+1)*dw], src[sy*w:(sy+1)*w]
		for x, sx := range xs {
			out[x] = row[sx]
		}
	}
}
