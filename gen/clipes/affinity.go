package clipes

import (
	"image"
	"slices"
)

// normalise scales a map to 0..1 in place (docs/sources.md §6.1).
func normalise(m []float32) {
	lo := slices.Min(m)
	for i := range m {
		m[i] -= lo
	}
	hi := slices.Max(m) + 1e-7
	for i := range m {
		m[i] /= hi
	}
}

// affinity is class-aware attention-based affinity, T of docs/sources.md §6.2 before
// its square: attention [n, n] made nearly doubly stochastic, then symmetric.
// The attention is overwritten.
func affinity(attention []float32, n int) []float32 {
	sums := make([]float64, n)
	for range 3 {
		clear(sums)
		for y := range n {
			for x, v := range attention[y*n : (y+1)*n] {
				sums[x] += float64(v)
			}
		}
		for y := range n {
			row, sum := attention[y*n:(y+1)*n], 0.0
			for x := range row {
				row[x] = float32(float64(row[x]) / sums[x])
				sum += float64(row[x])
			}
			for x := range row {
				row[x] = float32(float64(row[x]) / sum)
			}
		}
	}
	for y := range n {
		for x := range y {
			mean := (attention[y*n+x] + attention[x*n+y]) / 2
			attention[y*n+x], attention[x*n+y] = mean, mean
		}
	}
	return attention
}

// spread carries a map of 0..1 over a w×h grid along the affinity: T·T times
// what of it lies in boxes around the strong parts, and scales it to 0..1.
func spread(cam, affinity []float32, w, h int, threshold float64) []float32 {
	n := w * h
	v := make([]float32, n)
	for _, b := range boxes(cam, w, h, threshold) {
		for y := b.Min.Y; y < b.Max.Y; y++ {
			copy(v[y*w+b.Min.X:y*w+b.Max.X], cam[y*w+b.Min.X:y*w+b.Max.X])
		}
	}
	// T·T·v is T·(T·v): no square is needed.
	v = multiply(affinity, multiply(affinity, v))
	normalise(v)
	return v
}

func multiply(m, v []float32) []float32 {
	n := len(v)
	out := make([]float32, n)
	for y := range out {
		sum := 0.0
		for x, a := range m[y*n : (y+1)*n] {
			sum += float64(a) * float64(v[x])
		}
		out[y] = float32(sum)
	}
	return out
}

// boxes lie around the regions above the threshold, a share of the largest
// value, in 8 bits (docs/sources.md §6.2). The reference takes the boxes of all
// contours; those of holes and of what lies in them are inside the box of the
// region around, so the regions' own cover the same. As there, no box reaches
// the last row and column.
func boxes(cam []float32, w, h int, threshold float64) []image.Rectangle {
	levels := make([]uint8, len(cam))
	for i, v := range cam {
		levels[i] = uint8(v * 255)
	}
	limit := int(threshold * float64(slices.Max(levels)))
	todo := make([]bool, len(cam))
	for i, v := range levels {
		todo[i] = int(v) > limit
	}
	var list []image.Rectangle
	var stack []image.Point
	for i := range todo {
		if !todo[i] {
			continue
		}
		todo[i] = false
		box := image.Rectangle{}
		stack = append(stack, image.Pt(i%w, i/w))
		for len(stack) > 0 {
			p := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			box = box.Union(image.Rect(p.X, p.Y, p.X+1, p.Y+1))
			for y := max(0, p.Y-1); y < min(h, p.Y+2); y++ {
				for x := max(0, p.X-1); x < min(w, p.X+2); x++ {
					if todo[y*w+x] {
						todo[y*w+x] = false
						stack = append(stack, image.Pt(x, y))
					}
				}
			}
		}
		box.Max.X, box.Max.Y = min(box.Max.X, w-1), min(box.Max.Y, h-1)
		if !box.Empty() {
			list = append(list, box)
		}
	}
	return list
}
