package weaken

import (
	"image"
	"math/rand/v2"
	"sort"
)

// field is the depth of an object's pixels below its outline, on the object's
// bounding box plus a margin of one. Everything is integer, so that the same
// labels come out on every machine.
type field struct {
	origin image.Point // image pixel of the field's (0,0)
	w, h   int
	depth  []int // 3-4 chamfer distance: 3 per pixel, 0 outside; len w*h
	inside []int // field indices of the object's pixels, ascending
	max    int
}

func newField(o object, imageW int) *field {
	b := boundsOf(o.pixels, imageW).Inset(-1)
	f := &field{origin: b.Min, w: b.Dx(), h: b.Dy(), depth: make([]int, b.Dx()*b.Dy())}
	const far = 1 << 30
	for _, p := range o.pixels {
		i := (p/imageW-b.Min.Y)*f.w + p%imageW - b.Min.X
		f.depth[i] = far
		f.inside = append(f.inside, i)
	}
	// The margin guarantees that all eight neighbours exist.
	sweep := func(i int, steps [4]int) {
		d := f.depth[i]
		for k, s := range steps {
			cost := 3
			if k%2 == 1 {
				cost = 4
			}
			d = min(d, f.depth[i+s]+cost)
		}
		f.depth[i] = d
	}
	for _, i := range f.inside {
		sweep(i, [4]int{-1, -f.w - 1, -f.w, -f.w + 1})
	}
	for k := len(f.inside) - 1; k >= 0; k-- {
		sweep(f.inside[k], [4]int{1, f.w + 1, f.w, f.w - 1})
	}
	for _, i := range f.inside {
		f.max = max(f.max, f.depth[i])
	}
	return f
}

func (f *field) point(i int) image.Point { return f.origin.Add(image.Pt(i%f.w, i/f.w)) }

// draw picks n different pixels with probability proportional to
// weight(depth), fewer where the object has fewer.
func (f *field) draw(rng *rand.PCG, n int, weight func(depth int) int) []image.Point {
	sums := make([]int, len(f.inside))
	total := 0
	for k, i := range f.inside {
		total += weight(f.depth[i])
		sums[k] = total
	}
	taken := map[int]bool{}
	var out []image.Point
	for tries := 0; len(out) < n && len(out) < len(f.inside) && tries < 64*n; tries++ {
		at := int(rng.Uint64() % uint64(total))
		k := sort.SearchInts(sums, at+1)
		if !taken[k] {
			taken[k] = true
			out = append(out, f.point(f.inside[k]))
		}
	}
	return out
}
