package grabcut

import "math"

// stillness is what one step costs on a flat surface, as a share of the mean
// colour change between neighbours: it keeps distances apart where colour
// does not.
const stillness = 0.2

// geodesic returns, for every pixel of a w×h raster (three values a pixel),
// the length of the cheapest 8-connected path to a pixel where from is set: a
// step costs its length times the change of colour along it, in units of the
// raster's mean change. +Inf everywhere when from is nowhere set.
func geodesic(rgb []float32, w, h int, from func(i int) bool) []float32 {
	scale := 1 / meanChange(rgb, w, h)
	dist := make([]float32, w*h)
	var queue heap
	for i := range dist {
		dist[i] = float32(math.Inf(1))
		if from(i) {
			dist[i] = 0
			queue.push(item{0, int32(i)})
		}
	}
	for len(queue) > 0 {
		top := queue.pop()
		i := int(top.at)
		if top.dist > dist[i] {
			continue // a shorter path was found since
		}
		x, y := i%w, i/w
		p := [3]float32(rgb[i*3 : i*3+3])
		for ny := max(0, y-1); ny <= min(h-1, y+1); ny++ {
			for nx := max(0, x-1); nx <= min(w-1, x+1); nx++ {
				j := ny*w + nx
				if j == i {
					continue
				}
				length := float32(1)
				if nx != x && ny != y {
					length = math.Sqrt2
				}
				change := float32(math.Sqrt(float64(distance(p, rgb[j*3:j*3+3]))))
				if d := top.dist + length*(stillness+change*scale); d < dist[j] {
					dist[j] = d
					queue.push(item{d, int32(j)})
				}
			}
		}
	}
	return dist
}

// meanChange is the mean colour distance of horizontal neighbours, at least
// a tenth of a level so that a flat image has one.
func meanChange(rgb []float32, w, h int) float32 {
	var sum float64
	n := 0
	for i := range w * h {
		if i%w == w-1 {
			continue
		}
		sum += math.Sqrt(float64(distance([3]float32(rgb[i*3:i*3+3]), rgb[i*3+3:i*3+6])))
		n++
	}
	return float32(max(0.1, sum/float64(max(1, n))))
}

// item is a queued pixel; heap orders by distance, then by index, so that the
// order never depends on chance.
type item struct {
	dist float32
	at   int32
}

func (a item) before(b item) bool { return a.dist < b.dist || a.dist == b.dist && a.at < b.at }

type heap []item

func (h *heap) push(it item) {
	q := append(*h, it)
	i := len(q) - 1
	for i > 0 && it.before(q[(i-1)/2]) {
		q[i] = q[(i-1)/2]
		i = (i - 1) / 2
	}
	q[i] = it
	*h = q
}

func (h *heap) pop() item {
	q := *h
	top, last := q[0], q[len(q)-1]
	q = q[:len(q)-1]
	i := 0
	for {
		child := 2*i + 1
		if child >= len(q) {
			break
		}
		if child+1 < len(q) && q[child+1].before(q[child]) {
			child++
		}
		if !q[child].before(last) {
			break
		}
		q[i] = q[child]
		i = child
	}
	if len(q) > 0 {
		q[i] = last
	}
	*h = q
	return top
}
