package early

import "math"

// Curve is how well a network agrees with the labels of a class after t passes
// over the images: Height · (1 − exp(−Rate · t^Bend)), with Height in (0, 1], Rate
// > 0 and Bend in (0, 1], so that it rises ever more slowly.
type Curve struct{ Height, Rate, Bend float64 }

// Slope is the curve's after t passes, t > 0.
func (c Curve) Slope(t float64) float64 {
	return c.Height * c.Rate * c.Bend * math.Pow(t, c.Bend-1) * math.Exp(-c.Rate*math.Pow(t, c.Bend))
}

// The search of a curve: the logarithms of Rate and Bend lie within these. The first
// round tries so many of both over the whole range, each further one fewer about the
// best so far, over a range that shrinks where the best lies inside it.
const (
	leastRate, mostRate = 1e-3, 30
	leastBend, mostBend = 0.05, 1
	firstGrid, grid     = 25, 5
	rounds, narrowing   = 40, 0.6
)

// heaviest is the weight of the last point in the fit; the first one has 1, and it
// grows evenly in between, by the same factor from point to point.
const heaviest = 100

// Fit is the curve through values y in [0, 1] after passes t > 0: of the least sum
// of squares, in which later points weigh more.
func Fit(t, y []float64) Curve {
	weight := make([]float64, len(t))
	for i := range t {
		weight[i] = math.Pow(heaviest, float64(i)/float64(max(len(t)-1, 1)))
	}
	best, least := Curve{}, math.Inf(1)
	try := func(rate, bend float64) {
		var up, down, square float64
		for i := range t {
			g := -math.Expm1(-rate * math.Pow(t[i], bend))
			up, down, square = up+weight[i]*g*y[i], down+weight[i]*g*g, square+weight[i]*y[i]*y[i]
		}
		height := min(max(up/down, 0), 1)
		if rest := square - 2*height*up + height*height*down; rest < least {
			best, least = Curve{height, rate, bend}, rest
		}
	}
	low := [2]float64{math.Log(leastRate), math.Log(leastBend)}
	high := [2]float64{math.Log(mostRate), math.Log(mostBend)}
	var centre, wide [2]float64
	for axis := range wide {
		centre[axis], wide[axis] = (low[axis]+high[axis])/2, (high[axis]-low[axis])/2
	}
	for round, n := 0, firstGrid; round < rounds; round, n = round+1, grid {
		at := func(axis, i int) float64 {
			x := centre[axis] + wide[axis]*(2*float64(i)/float64(n-1)-1)
			return math.Exp(min(max(x, low[axis]), high[axis]))
		}
		for i := range n {
			for k := range n {
				try(at(0, i), at(1, k))
			}
		}
		for axis, x := range [2]float64{math.Log(best.Rate), math.Log(best.Bend)} {
			inside := math.Abs(x-centre[axis]) < wide[axis]*(1-1/float64(n))
			if centre[axis] = x; round == 0 {
				wide[axis] *= 4 / float64(n-1)
			} else if inside {
				wide[axis] *= narrowing
			}
		}
	}
	return best
}
