package outline

import (
	"image"
	"math"
)

// maxAreaChange is how much of a region's area simplified outlines may gain or
// lose, as a share.
const maxAreaChange = 0.01

// Simplified is Polygon with fewer corners: none of those left out lies more
// than tolerance pixels from the line (Douglas and Peucker), and the area
// stays within 1 % of the region's; where it would not, the tolerance is
// halved. Bridges to holes stay. A tolerance of 0 is Polygon.
func (r *Region) Simplified(tolerance float64) []image.Point {
	whole := r.Polygon()
	for ; tolerance >= 0.25; tolerance /= 2 {
		line := simplify(whole, tolerance)
		if len(line) >= 3 && math.Abs(ShoelaceArea(line)-float64(r.Area)) <= maxAreaChange*float64(r.Area) {
			return line
		}
	}
	return whole
}

// simplify thins out a closed line between the corners that must stay.
func simplify(ring []image.Point, tolerance float64) []image.Point {
	keep := anchors(ring)
	first := -1
	previous := -1
	for i := range ring {
		if !keep[i] {
			continue
		}
		if first < 0 {
			first = i
		} else {
			thin(ring, keep, previous, i, tolerance)
		}
		previous = i
	}
	thin(ring, keep, previous, first+len(ring), tolerance)
	var out []image.Point
	for i, p := range ring {
		if keep[i] {
			out = append(out, p)
		}
	}
	return out
}

// anchors marks the ends of bridges, which the line passes twice, and two
// corners far from each other.
func anchors(ring []image.Point) []bool {
	keep := make([]bool, len(ring))
	seen := make(map[image.Point]int, len(ring))
	for i, p := range ring {
		if k, twice := seen[p]; twice {
			keep[i], keep[k] = true, true
		}
		seen[p] = i
	}
	keep[0] = true
	far, best := 0, -1
	for i, p := range ring {
		d := p.Sub(ring[0])
		if n := d.X*d.X + d.Y*d.Y; n > best {
			far, best = i, n
		}
	}
	keep[far] = true
	return keep
}

// thin marks the corners to keep between two that stay; indices run past the
// end of the ring and around.
func thin(ring []image.Point, keep []bool, from, to int, tolerance float64) {
	type stretch struct{ from, to int }
	for todo := []stretch{{from, to}}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		a, b := ring[s.from%len(ring)], ring[s.to%len(ring)]
		far, best := -1, tolerance
		for i := s.from + 1; i < s.to; i++ {
			if d := distance(ring[i%len(ring)], a, b); d > best {
				far, best = i, d
			}
		}
		if far >= 0 {
			keep[far%len(ring)] = true
			todo = append(todo, stretch{s.from, far}, stretch{far, s.to})
		}
	}
}

// distance is that of a point from the line segment a–b.
func distance(p, a, b image.Point) float64 {
	ab, ap := b.Sub(a), p.Sub(a)
	length := float64(ab.X*ab.X + ab.Y*ab.Y)
	t := 0.0
	if length > 0 {
		t = min(max(float64(ap.X*ab.X+ap.Y*ab.Y)/length, 0), 1)
	}
	return math.Hypot(float64(ap.X)-t*float64(ab.X), float64(ap.Y)-t*float64(ab.Y))
}
