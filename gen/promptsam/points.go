package promptsam

import (
	"image"
	"math"
	"slices"

	"wsss/data"
	"wsss/gen"
)

// pointPrompts makes a prompt per class, or per foreground point, in order of
// classes. Background clicks count in every prompt; points of other classes
// do where negatives are wanted (METHODS §11.4).
func (o pointOptions) pointPrompts(points []data.Point, source string) []gen.Prompt {
	var classes []int
	for _, p := range points {
		if p.Class > 0 && !slices.Contains(classes, p.Class) {
			classes = append(classes, p.Class)
		}
	}
	slices.Sort(classes)
	var list []gen.Prompt
	for _, class := range classes {
		var own, others []data.Point
		for _, p := range points {
			if p.Class == class {
				own = append(own, p)
			} else if p.Class == 0 || o.Negatives {
				others = append(others, p)
			}
		}
		slices.SortStableFunc(own, func(a, b data.Point) int { return a.Rank - b.Rank })
		groups := [][]data.Point{own}
		if o.PerPoint {
			groups = nil
			for _, p := range own {
				groups = append(groups, []data.Point{p})
			}
		}
		for _, g := range groups {
			list = append(list, gen.Prompt{Class: class, Points: o.choose(g, others), Source: source, Score: 1})
		}
	}
	return list
}

// choose keeps at most MaxPoints: own points first, at least half of them
// where there are others.
func (o pointOptions) choose(own, others []data.Point) []data.Point {
	if o.MaxPoints == 0 || len(own)+len(others) <= o.MaxPoints {
		return slices.Concat(own, others)
	}
	n := min(len(own), max(o.MaxPoints-len(others), (o.MaxPoints+1)/2))
	return slices.Concat(spread(own, n), spread(others, o.MaxPoints-n))
}

// spread picks n of the points, evenly along the list from its first on.
func spread(points []data.Point, n int) []data.Point {
	if n >= len(points) {
		return points
	}
	picked := make([]data.Point, 0, n)
	for i := range n {
		picked = append(picked, points[i*len(points)/n])
	}
	return picked
}

// strokePoints walks along each stroke and takes a point every step pixels,
// half a step from its beginning, at least one.
func strokePoints(strokes []data.Scribble, step int) []data.Point {
	var list []data.Point
	for _, s := range strokes {
		before := len(list)
		next := float64(step) / 2 // way to go to the next point
		for i := 1; i < len(s.Points); i++ {
			a, b := s.Points[i-1], s.Points[i]
			length := math.Hypot(float64(b.X-a.X), float64(b.Y-a.Y))
			at := next
			for ; at <= length; at += float64(step) {
				list = append(list, along(a, b, at/length, s.Class))
			}
			next = at - length
		}
		if len(list) == before && len(s.Points) > 0 {
			p := s.Points[len(s.Points)/2]
			list = append(list, data.Point{X: p.X, Y: p.Y, Class: s.Class})
		}
	}
	return list
}

func along(a, b image.Point, t float64, class int) data.Point {
	mix := func(u, v int) int { return int(math.Round(float64(u) + t*float64(v-u))) }
	return data.Point{X: mix(a.X, b.X), Y: mix(a.Y, b.Y), Class: class}
}
