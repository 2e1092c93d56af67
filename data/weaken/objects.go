package weaken

import (
	"image"
	"sort"

	"wsss/data"
)

// label gives every pixel the number of its 8-connected component of equal
// value, 1.. in order of the first pixel; pixels for which skip is true get 0.
// It returns the numbers and the pixels of each component.
func label(m *data.LabelMap, skip func(v uint8) bool) (of []int32, parts [][]int) {
	of = make([]int32, len(m.Pix))
	var queue []int
	for start, v := range m.Pix {
		if of[start] != 0 || skip(v) {
			continue
		}
		id := int32(len(parts) + 1)
		of[start] = id
		queue = append(queue[:0], start)
		for head := 0; head < len(queue); head++ {
			around(queue[head], m.W, m.H, func(q int) {
				if of[q] == 0 && m.Pix[q] == v {
					of[q] = id
					queue = append(queue, q)
				}
			})
		}
		parts = append(parts, append([]int(nil), queue...))
	}
	return of, parts
}

// around calls f for the 8 neighbours of pixel p that lie in the image.
func around(p, w, h int, f func(q int)) {
	x, y := p%w, p/w
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			if (dx != 0 || dy != 0) && x+dx >= 0 && x+dx < w && y+dy >= 0 && y+dy < h {
				f(p + dy*w + dx)
			}
		}
	}
}

// components finds the objects of a mask: connected components, small pieces
// joined to the neighbour of their class behind a thin void line, such as a
// leg cut off by the void border.
func components(truth *data.LabelMap, opts Options) []object {
	of, parts := label(truth, func(v uint8) bool { return v == 0 || v == data.Ignore })
	joined := make([]int, len(parts)+1) // the component that a piece joins; itself at first
	for i := range joined {
		joined[i] = i
	}
	for i, pixels := range parts {
		if len(pixels) < opts.MergeArea {
			if near := neighbour(truth, of, pixels, parts, opts.MergeGap); near != 0 {
				joined[i+1] = near
			}
		}
	}
	root := func(i int) int {
		for joined[i] != i {
			i = joined[i]
		}
		return i
	}
	merged := make([][]int, len(parts)+1)
	for i, pixels := range parts {
		r := root(i + 1)
		merged[r] = append(merged[r], pixels...)
	}
	var out []object
	for _, pixels := range merged {
		if len(pixels) > 0 && len(pixels) >= opts.MinArea {
			out = append(out, newObject(int(truth.Pix[pixels[0]]), pixels, truth.W))
		}
	}
	return out
}

// neighbour walks through void from a piece, at most gap steps, and returns
// the first larger component of the same class that it meets, else 0. A piece
// only ever joins a larger one (or an equal one of lower number), so joins
// cannot form a circle.
func neighbour(truth *data.LabelMap, of []int32, piece []int, parts [][]int, gap int) int {
	class, self := truth.Pix[piece[0]], int(of[piece[0]])
	seen := make(map[int]bool, 4*len(piece))
	front := piece
	for range gap + 1 {
		var next []int
		found := 0
		for _, p := range front {
			around(p, truth.W, truth.H, func(q int) {
				c := int(of[q])
				switch {
				case c != 0 && c != self && truth.Pix[q] == class:
					bigger := len(parts[c-1]) > len(piece) || len(parts[c-1]) == len(piece) && c < self
					if bigger && (found == 0 || c < found) {
						found = c
					}
				case truth.Pix[q] == data.Ignore && !seen[q]:
					seen[q] = true
					next = append(next, q)
				}
			})
		}
		if found != 0 {
			return found
		}
		front = next
	}
	return 0
}

func newObject(class int, pixels []int, w int) object {
	sort.Ints(pixels)
	o := object{class: class, pixels: pixels}
	o.bounds = boundsOf(pixels, w)
	return o
}

func boundsOf(pixels []int, w int) image.Rectangle {
	first := pixels[0]
	b := image.Rect(first%w, first/w, first%w+1, first/w+1)
	for _, p := range pixels {
		x, y := p%w, p/w
		b.Min.X, b.Max.X = min(b.Min.X, x), max(b.Max.X, x+1)
		b.Min.Y, b.Max.Y = min(b.Min.Y, y), max(b.Max.Y, y+1)
	}
	return b
}

// instanceObjects groups pixels by instance number.
func instanceObjects(truth, instances *data.LabelMap, opts Options) []object {
	var class, all [256][]int
	for p, n := range instances.Pix {
		if n == 0 {
			continue
		}
		all[n] = append(all[n], p)
		if v := truth.Pix[p]; v != 0 && v != data.Ignore {
			class[n] = append(class[n], p)
		}
	}
	var out []object
	for n := range class {
		if pixels := class[n]; len(pixels) > 0 && len(pixels) >= opts.MinArea {
			o := newObject(int(truth.Pix[pixels[0]]), pixels, truth.W)
			o.bounds = boundsOf(all[n], truth.W)
			out = append(out, o)
		}
	}
	return out
}

func backgroundObject(truth *data.LabelMap) object {
	var pixels []int
	for p, v := range truth.Pix {
		if v == 0 {
			pixels = append(pixels, p)
		}
	}
	if len(pixels) == 0 {
		return object{}
	}
	return newObject(0, pixels, truth.W)
}

// backgroundParts returns the n largest connected parts of the background.
func backgroundParts(truth *data.LabelMap, n, minArea int) []object {
	if n == 0 {
		return nil
	}
	_, parts := label(truth, func(v uint8) bool { return v != 0 })
	sort.SliceStable(parts, func(i, j int) bool { return len(parts[i]) > len(parts[j]) })
	var out []object
	for _, pixels := range parts[:min(n, len(parts))] {
		if len(pixels) >= minArea {
			out = append(out, newObject(0, pixels, truth.W))
		}
	}
	return out
}
