package promptsam

import (
	"image"
	"math"
	"math/rand/v2"
	"slices"

	"wsss/data"
	"wsss/gen"
)

// spot is a point with the object it lies on, as far as that is known: each
// click and each stroke counts as an object of its own.
type spot struct {
	data.Point
	object int
}

// clicks are points, each of which shows an object.
func clicks(points []data.Point) []spot {
	spots := make([]spot, len(points))
	for i, p := range points {
		spots[i] = spot{p, i}
	}
	return spots
}

// prompts makes a prompt per class, object or point, in order of classes. What
// is random follows from the seed. Points on the background and of other
// classes come after a prompt's own, where they are wanted (docs/sources.md §11.4).
func (o pointOptions) prompts(spots []spot, seed uint64, source string) []gen.Prompt {
	spots = o.arrange(spots, rand.New(rand.NewPCG(seed, 0x5a11)))
	var classes []int
	for _, s := range spots {
		if s.Class > 0 && !slices.Contains(classes, s.Class) {
			classes = append(classes, s.Class)
		}
	}
	slices.Sort(classes)
	var list []gen.Prompt
	for _, class := range classes {
		var own []spot
		var others []data.Point
		for _, s := range spots {
			if s.Class == class {
				own = append(own, s)
			} else if s.Class == 0 && o.Background || s.Class != 0 && o.Negatives {
				others = append(others, s.Point)
			}
		}
		for _, g := range o.groups(own) {
			list = append(list, gen.Prompt{Class: class, Points: o.choose(g, others), Source: source, Score: 1})
		}
	}
	return list
}

// groups divides the points of a class among prompts.
func (o pointOptions) groups(own []spot) [][]data.Point {
	at := map[int]int{} // key of a group → its place
	var list [][]data.Point
	for i, s := range own {
		key := 0
		switch o.Group {
		case groupObject:
			key = s.object
		case groupPoint:
			key = i
		}
		g, ok := at[key]
		if !ok {
			g = len(list)
			at[key], list = g, append(list, nil)
		}
		list[g] = append(list[g], s.Point)
	}
	return list
}

// arrange takes the share of every object's points that is wanted, in the
// wanted order.
func (o pointOptions) arrange(spots []spot, r *rand.Rand) []spot {
	spots = slices.Clone(spots)
	if o.Fraction < 1 {
		spots = sample(spots, o.Fraction, r)
	}
	switch o.Order {
	case orderRandom:
		r.Shuffle(len(spots), func(i, j int) { spots[i], spots[j] = spots[j], spots[i] })
	case orderFar:
		spots = farthest(spots)
	default:
		slices.SortStableFunc(spots, func(a, b spot) int { return a.Rank - b.Rank })
	}
	return spots
}

// sample keeps a random share of every object's points, at least one, in
// their order.
func sample(spots []spot, share float64, r *rand.Rand) []spot {
	count := map[int]int{}
	for _, s := range spots {
		count[s.object]++
	}
	want, left := map[int]int{}, map[int]int{}
	for object, n := range count {
		want[object], left[object] = max(1, int(math.Round(share*float64(n)))), n
	}
	var kept []spot
	for _, s := range spots { // selection sampling: each subset is as likely
		if r.IntN(left[s.object]) < want[s.object] {
			kept = append(kept, s)
			want[s.object]--
		}
		left[s.object]--
	}
	return kept
}

// farthest orders points so that each has the largest distance from all
// before it, from the first on; of equal ones the earliest comes first.
func farthest(spots []spot) []spot {
	gap := make([]int, len(spots)) // squared distance from the nearest point before
	for i := range gap {
		gap[i] = math.MaxInt
	}
	for n := range spots {
		next := n
		for i := n; i < len(spots); i++ {
			if gap[i] > gap[next] {
				next = i
			}
		}
		s := spots[next]
		copy(spots[n+1:next+1], spots[n:next]) // the others keep their order
		copy(gap[n+1:next+1], gap[n:next])
		spots[n] = s
		for i := n + 1; i < len(spots); i++ {
			dx, dy := spots[i].X-s.X, spots[i].Y-s.Y
			gap[i] = min(gap[i], dx*dx+dy*dy)
		}
	}
	return spots
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
func strokePoints(strokes []data.Scribble, step int) []spot {
	var list []spot
	for n, s := range strokes {
		before := len(list)
		next := float64(step) / 2 // way to go to the next point
		for i := 1; i < len(s.Points); i++ {
			a, b := s.Points[i-1], s.Points[i]
			length := math.Hypot(float64(b.X-a.X), float64(b.Y-a.Y))
			at := next
			for ; at <= length; at += float64(step) {
				list = append(list, spot{along(a, b, at/length, s.Class), n})
			}
			next = at - length
		}
		if len(list) == before && len(s.Points) > 0 {
			p := s.Points[len(s.Points)/2]
			list = append(list, spot{data.Point{X: p.X, Y: p.Y, Class: s.Class}, n})
		}
	}
	return list
}

func along(a, b image.Point, t float64, class int) data.Point {
	mix := func(u, v int) int { return int(math.Round(float64(u) + t*float64(v-u))) }
	return data.Point{X: mix(a.X, b.X), Y: mix(a.Y, b.Y), Class: class}
}
