package layers

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// refPool is PyTorch's MaxPool2d(3, 2, 1, ceil_mode).
func refPool(x array, ceil bool) array {
	size := func(n int) int {
		out := float64(n+2-3)/2 + 1
		if !ceil {
			return int(math.Floor(out))
		}
		o := int(math.Ceil(out))
		if (o-1)*2 >= n+1 {
			o--
		}
		return o
	}
	n, h, w, c := x.dims[0], x.dims[1], x.dims[2], x.dims[3]
	y := newArray(n, size(h), size(w), c)
	for k := range y.v {
		ch, j, i, b := k%c, k/c%y.dims[2], k/c/y.dims[2]%y.dims[1], k/c/y.dims[2]/y.dims[1]
		best := math.Inf(-1)
		for r := max(2*i-1, 0); r < min(2*i+2, h); r++ {
			for s := max(2*j-1, 0); s < min(2*j+2, w); s++ {
				best = max(best, *x.at(b, r, s, ch))
			}
		}
		y.v[k] = best
	}
	return y
}

func TestMaxPool(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		for _, size := range [][2]int{{2, 2}, {5, 7}, {6, 8}, {7, 6}, {9, 3}} {
			for _, ceil := range []bool{false, true} {
				t.Run(fmt.Sprint(size, ceil), func(t *testing.T) {
					x := newArray(2, size[0], size[1], 3) // distinct values: a tie has no derivative
					for i := range x.v {
						x.v[i] = float64(i*37%len(x.v))/16 - 3
					}
					checkOp(t, b, func(in []*Node) *Node { return MaxPool3s2(in[0], ceil) },
						func(in []array) array { return refPool(in[0], ceil) }, x)
				})
			}
		}
	})
}

// Among equal values the first in scan order gets the gradient, as in PyTorch.
func TestMaxPoolTies(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		exec := MustNewExec(b, func(x *Node) *Node {
			return Gradient(ReduceAllSum(MaxPool3s2(x, false)), x)[0]
		})
		want := newArray(1, 4, 4, 1) // all zeros: windows start at 0, 1, 0, 1
		for _, at := range [][2]int{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
			*want.at(0, at[0], at[1], 0) = 1
		}
		compare(t, "gradient", exec.MustCall1(newArray(1, 4, 4, 1).tensor()), want)
	})
}

// refPool1 is PyTorch's MaxPool2d(3, 1, 1).
func refPool1(x array) array {
	n, h, w, c := x.dims[0], x.dims[1], x.dims[2], x.dims[3]
	y := newArray(n, h, w, c)
	for k := range y.v {
		ch, j, i, b := k%c, k/c%w, k/c/w%h, k/c/w/h
		best := math.Inf(-1)
		for r := max(i-1, 0); r < min(i+2, h); r++ {
			for s := max(j-1, 0); s < min(j+2, w); s++ {
				best = max(best, *x.at(b, r, s, ch))
			}
		}
		y.v[k] = best
	}
	return y
}

// refMean is PyTorch's AvgPool2d(3, 1, 1).
func refMean(x array) array {
	n, h, w, c := x.dims[0], x.dims[1], x.dims[2], x.dims[3]
	y := newArray(n, h, w, c)
	for k := range y.v {
		ch, j, i, b := k%c, k/c%w, k/c/w%h, k/c/w/h
		for r := max(i-1, 0); r < min(i+2, h); r++ {
			for s := max(j-1, 0); s < min(j+2, w); s++ {
				y.v[k] += *x.at(b, r, s, ch) / 9
			}
		}
	}
	return y
}

func TestPoolsOfStrideOne(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		for _, size := range [][2]int{{1, 1}, {2, 5}, {6, 4}} {
			x := newArray(2, size[0], size[1], 3)
			for i := range x.v {
				x.v[i] = float64(i*37%len(x.v))/16 - 3
			}
			checkOp(t, b, func(in []*Node) *Node { return MaxPool3s1(in[0]) }, func(in []array) array { return refPool1(in[0]) }, x)
			checkOp(t, b, func(in []*Node) *Node { return Net{}.MeanPool3s1(in[0]) }, func(in []array) array { return refMean(in[0]) }, x)
		}
		exec := MustNewExec(b, func(x *Node) *Node { return Gradient(ReduceAllSum(MaxPool3s1(x)), x)[0] })
		want := newArray(1, 3, 3, 1) // all zeros: the first of each window
		copy(want.v, []float64{4, 2, 0, 2, 1, 0, 0, 0, 0})
		compare(t, "gradient of ties", exec.MustCall1(newArray(1, 3, 3, 1).tensor()), want)
	})
}
