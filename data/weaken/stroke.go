package weaken

import (
	"image"
	"math/rand/v2"

	"wsss/data"
)

// stroke draws one scribble: a path along the middle of the object between two
// far ends whose depth is at least endPercent of the deepest, slightly
// trembling, smoothed, and cut at random at both ends. Every pixel of the
// polyline lies in the object.
func (f *field) stroke(rng *rand.PCG, endPercent int) []image.Point {
	deepest := f.inside[0]
	for _, i := range f.inside {
		if f.depth[i] > f.depth[deepest] {
			deepest = i
		}
	}
	plain := func(int) int { return 1 }
	from, _ := f.farthest(deepest, plain, endPercent)
	to, _ := f.farthest(from, plain, endPercent)
	tremble := rng.Uint64()
	ridge := func(i int) int {
		lack := 16 * (f.max - f.depth[i]) / f.max // 0 on the ridge .. 15 at the outline
		return 2 + lack*lack/8 + int(data.Mix(tremble^uint64(i))%3)
	}
	path := f.path(from, to, ridge)
	n := len(path)
	lo, hi := int(rng.Uint64()%uint64(n/8+1)), n-int(rng.Uint64()%uint64(n/8+1))
	path = path[lo:max(hi, lo+1)]
	for window := f.max / 3; window > 1; window /= 2 {
		if line := smooth(path, window, f.w); f.covers(line) {
			return f.points(line)
		}
	}
	return f.points(path)
}

func (f *field) points(line []int) []image.Point {
	out := make([]image.Point, len(line))
	for k, i := range line {
		out[k] = f.point(i)
	}
	return out
}

// smooth averages the path over ±window pixels and keeps one vertex per
// window, the ends included.
func smooth(path []int, window, w int) []int {
	var line []int
	for k := 0; ; k += window {
		k = min(k, len(path)-1)
		r := min(window, k, len(path)-1-k) // symmetric, so the ends stay
		x, y, n := 0, 0, 2*r+1
		for _, i := range path[k-r : k+r+1] {
			x, y = x+i%w, y+i/w
		}
		i := (2*y+n)/(2*n)*w + (2*x+n)/(2*n)
		if len(line) == 0 || line[len(line)-1] != i {
			line = append(line, i)
		}
		if k == len(path)-1 {
			return line
		}
	}
}

// covers reports whether every pixel of the polyline lies in the object.
func (f *field) covers(line []int) bool {
	for k, i := range line {
		ok := true
		Line(image.Pt(line[max(k-1, 0)]%f.w, line[max(k-1, 0)]/f.w), image.Pt(i%f.w, i/f.w), func(p image.Point) {
			ok = ok && f.depth[p.Y*f.w+p.X] > 0
		})
		if !ok {
			return false
		}
	}
	return true
}

// Line calls f for the pixels of the straight line from a to b, both included
// (Bresenham).
func Line(a, b image.Point, f func(image.Point)) {
	dx, dy := abs(b.X-a.X), -abs(b.Y-a.Y)
	sx, sy := sign(b.X-a.X), sign(b.Y-a.Y)
	for e := dx + dy; ; {
		f(a)
		if a == b {
			return
		}
		e2 := 2 * e
		if e2 >= dy {
			e += dy
			a.X += sx
		}
		if e2 <= dx {
			e += dx
			a.Y += sy
		}
	}
}

func abs(i int) int { return max(i, -i) }

func sign(i int) int {
	switch {
	case i > 0:
		return 1
	case i < 0:
		return -1
	}
	return 0
}

// maxStep bounds the cost of one step: 7/5 is the diagonal, 2+15²/8+2 the
// dearest pixel.
const maxStep = 7 * (2 + 15*15/8 + 3)

// reach runs Dijkstra's algorithm over the object from a pixel, with a ring of
// buckets as queue (costs are small integers), and calls settled for each
// pixel in order of its cost. prev holds where each pixel was reached from.
func (f *field) reach(from int, cost func(i int) int, settled func(i, total int) (stop bool)) (prev []int32) {
	prev = make([]int32, len(f.depth))
	total := make([]int32, len(f.depth))
	done := make([]bool, len(f.depth))
	var ring [maxStep + 1][]int
	ring[0] = []int{from}
	total[from] = 1
	prev[from] = int32(from)
	steps := [8]int{-1, 1, -f.w, f.w, -f.w - 1, -f.w + 1, f.w - 1, f.w + 1}
	for at, waiting := 1, 1; waiting > 0; at++ {
		slot := (at - 1) % len(ring)
		for len(ring[slot]) > 0 {
			last := len(ring[slot]) - 1
			i := ring[slot][last]
			ring[slot] = ring[slot][:last]
			waiting--
			if done[i] {
				continue
			}
			done[i] = true
			if settled(i, at) {
				return prev
			}
			for k, s := range steps {
				q := i + s
				if f.depth[q] == 0 || done[q] {
					continue
				}
				c := 5
				if k >= 4 {
					c = 7
				}
				if t := int32(at + c*cost(q)); total[q] == 0 || t < total[q] {
					total[q], prev[q] = t, int32(i)
					n := int(t-1) % len(ring)
					ring[n] = append(ring[n], q)
					waiting++
				}
			}
		}
	}
	return prev
}

// farthest is the pixel of highest path cost among the deep ones.
func (f *field) farthest(from int, cost func(i int) int, endPercent int) (pixel, total int) {
	pixel = from
	f.reach(from, cost, func(i, t int) bool {
		if t > total && 100*f.depth[i] >= endPercent*f.max {
			pixel, total = i, t
		}
		return false
	})
	return pixel, total
}

func (f *field) path(from, to int, cost func(i int) int) []int {
	prev := f.reach(from, cost, func(i, _ int) bool { return i == to })
	path := []int{to}
	for i := to; i != from; {
		i = int(prev[i])
		path = append(path, i)
	}
	return path
}
