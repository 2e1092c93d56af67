package layers

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// MaxPool3s2 is the 3×3 max-pool of stride 2 and padding 1 that follows the
// stem of a ResNet. ceil rounds the output size up (Caffe, docs/sources.md §8.1)
// instead of down; outside the image the maximum ignores the pixel. The image
// is cut into its four stride-2 phases, so that the nine taps of the window are
// plain slices; the gradient goes to the first maximum in scan order, as in
// PyTorch.
func MaxPool3s2(x *Node, ceil bool) *Node {
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	if h < 2 || w < 2 {
		exceptions.Panicf("layers.MaxPool3s2: image %s is smaller than 2×2", x.Shape())
	}
	ho, wo := poolSize(h, ceil), poolSize(w, ceil)
	// Row 2·i + k - 1 of the image is row i + k/2 of phase k%2 once one row of
	// padding is put on top.
	fold := func(x *Node, value float64) *Node {
		x = padImage(x, padding{1, 2*(ho+1) - h - 1, 1, 2*(wo+1) - w - 1}, value)
		return Reshape(x, n, ho+1, 2, wo+1, 2*c)
	}
	return withGradient([]*Node{x}, func(in []*Node) *Node {
		var y *Node
		for _, tap := range poolTaps(fold(in[0], math.Inf(-1)), ho, wo, c) {
			if y == nil {
				y = tap
			} else {
				y = Max(y, tap)
			}
		}
		return y
	}, func(in []*Node) []vjp {
		return []vjp{func(y, dy *Node) *Node {
			g := y.Graph()
			zero := ScalarZero(g, dy.DType())
			left := dy // what no earlier tap has taken
			var phases [4]*Node
			for k, tap := range poolTaps(fold(in[0], math.Inf(-1)), ho, wo, c) {
				hit := Equal(tap, y)
				part := Where(hit, left, zero)
				left = Where(hit, zero, left)
				i, j := k/3, k%3
				part = Pad(part, zero, PadAxis{}, PadAxis{Start: i / 2, End: 1 - i/2}, PadAxis{Start: j / 2, End: 1 - j/2}, PadAxis{})
				p := i%2*2 + j%2
				if phases[p] == nil {
					phases[p] = part
				} else {
					phases[p] = Add(phases[p], part)
				}
			}
			rows := make([]*Node, 2)
			for i := range rows {
				row := Concatenate([]*Node{phases[2*i], phases[2*i+1]}, -1) // [n, ho+1, wo+1, 2c]
				rows[i] = Reshape(row, n, ho+1, 1, wo+1, 2*c)
			}
			dx := Reshape(Concatenate(rows, 2), n, 2*(ho+1), 2*(wo+1), c)
			dx = Slice(dx, AxisRange(), AxisRange(1, min(1+h, 2*(ho+1))), AxisRange(1, min(1+w, 2*(wo+1))), AxisRange())
			return padImage(dx, padding{bottom: h - dx.Shape().Dim(1), right: w - dx.Shape().Dim(2)}, 0)
		}}
	})
}

// MaxPool3s1 is the 3×3 max-pool of stride 1 and padding 1 with which networks
// made dense replace pools of stride 2. The gradient goes to the first maximum in
// scan order, as in PyTorch.
func MaxPool3s1(x *Node) *Node {
	h, w := x.Shape().Dim(1), x.Shape().Dim(2)
	taps := func(x *Node) []*Node {
		x = padImage(x, padding{1, 1, 1, 1}, math.Inf(-1))
		all := make([]*Node, 9)
		for k := range all {
			all[k] = Slice(x, AxisRange(), AxisRange(k/3, k/3+h), AxisRange(k%3, k%3+w), AxisRange())
		}
		return all
	}
	return withGradient([]*Node{x}, func(in []*Node) *Node {
		all := taps(in[0])
		y := all[0]
		for _, tap := range all[1:] {
			y = Max(y, tap)
		}
		return y
	}, func(in []*Node) []vjp {
		return []vjp{func(y, dy *Node) *Node {
			zero := ScalarZero(dy.Graph(), dy.DType())
			left := dy // what no earlier tap has taken
			var sum *Node
			for k, tap := range taps(in[0]) {
				hit := Equal(tap, y)
				i, j := k/3, k%3
				part := padImage(Where(hit, left, zero), padding{i, 2 - i, j, 2 - j}, 0)
				left = Where(hit, zero, left)
				if sum == nil {
					sum = part
				} else {
					sum = Add(sum, part)
				}
			}
			return Slice(sum, AxisRange(), AxisRange(1, 1+h), AxisRange(1, 1+w), AxisRange())
		}}
	})
}

// poolSize is the output size of the pool along an axis of size n. A last
// window that would start in the padding beyond the image is dropped.
func poolSize(n int, ceil bool) int {
	if !ceil {
		return (n-1)/2 + 1
	}
	out := (n-1+1)/2 + 1
	if (out-1)*2 >= n+1 {
		out--
	}
	return out
}

// poolTaps cuts the nine window positions, in scan order, from the folded image
// [n, ho+1, 2, wo+1, 2·c].
func poolTaps(x *Node, ho, wo, c int) []*Node {
	taps := make([]*Node, 0, 9)
	for i := range 3 {
		for j := range 3 {
			t := Slice(x, AxisRange(), AxisRange(i/2, i/2+ho), AxisElem(i%2), AxisRange(j/2, j/2+wo), AxisRange(j%2*c, j%2*c+c))
			taps = append(taps, Reshape(t, x.Shape().Dim(0), ho, wo, c))
		}
	}
	return taps
}
