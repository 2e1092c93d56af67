package layers

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// TestCubicWeights: the rows add up to 1, an unchanged size changes nothing, and
// values are those of PyTorch's interpolate of the unit matrix.
func TestCubicWeights(t *testing.T) {
	for _, c := range []struct {
		from, to  int
		antialias bool
		want      []float32 // the first weights
	}{
		{4, 4, false, []float32{1, 0, 0, 0, 0, 1}},
		{4, 4, true, []float32{1, 0, 0, 0, 0, 1}},
		{4, 6, false, []float32{1.086806, -0.086806, 0, 0, 0.5, 0.59375, -0.09375, 0, -0.086805, 0.943287, 0.160880, -0.017361}},
		{6, 3, true, []float32{0.464435, 0.464435, 0.121339, -0.037657, -0.012552, 0, -0.034351, 0.110687, 0.423664}},
		{1, 3, true, []float32{1, 1, 1}},
	} {
		t.Run(fmt.Sprint(c.from, c.to, c.antialias), func(t *testing.T) {
			m := CubicWeights(c.from, c.to, c.antialias)
			for i := range c.to {
				sum := float32(0)
				for _, v := range m[i*c.from:][:c.from] {
					sum += v
				}
				if math.Abs(float64(sum-1)) > 1e-6 {
					t.Errorf("row %d adds up to %v: %v", i, sum, m)
				}
			}
			for at, want := range c.want {
				if math.Abs(float64(m[at]-want)) > 1e-5 {
					t.Errorf("weight %d is %v, want %v: %v", at, m[at], want, m)
				}
			}
		})
	}
}

// TestResizeCubic compares both axes, and the gradient, with the matrices.
func TestResizeCubic(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		for _, antialias := range []bool{false, true} {
			checkOp(t, b, func(in []*Node) *Node { return ResizeCubic(in[0], 3, 6, antialias) }, func(in []array) array {
				y := newArray(2, 3, 6, 2)
				rows, cols := CubicWeights(5, 3, antialias), CubicWeights(4, 6, antialias)
				for i := range y.v {
					c, x, r, n := i%2, i/2%6, i/12%3, i/36
					for u := range 5 {
						for v := range 4 {
							y.v[i] += float64(rows[r*5+u]*cols[x*4+v]) * *in[0].at(n, u, v, c)
						}
					}
				}
				return y
			}, random(1, 2, 5, 4, 2))
		}
	})
}

func TestQuickGELU(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		checkOp(t, b, func(in []*Node) *Node { return QuickGELU(in[0]) }, func(in []array) array {
			y := newArray(3, 5)
			for i, v := range in[0].v {
				y.v[i] = v / (1 + math.Exp(-1.702*v))
			}
			return y
		}, random(2, 3, 5))
	})
}
