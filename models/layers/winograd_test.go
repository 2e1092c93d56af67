package layers

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
)

// Tiles of each size compute the convolution and its gradients, also where they do
// not fit into the image or its padding.
func TestWinograd(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		if backend.KindOf(b) == backend.XLA {
			t.Skip("XLA has its own convolution")
		}
		for _, tile := range tiles {
			for _, c := range []struct {
				h, w, dilation int
				pad            padding
			}{
				{5, 7, 1, padding{}},
				{6, 5, 1, padding{1, 1, 1, 1}},
				{4, 3, 1, padding{2, 0, 1, 2}},
				{8, 9, 2, padding{2, 2, 2, 2}},
				{7, 6, 4, padding{4, 4, 4, 4}},
			} {
				t.Run(fmt.Sprintf("%d/%d×%d/%d/%v", tile.m, c.h, c.w, c.dilation, c.pad), func(t *testing.T) {
					way := winograd{geometry{kh: 3, kw: 3, dilation: c.dilation, pad: c.pad}, tile}
					x, w := random(1, 2, c.h, c.w, 3), random(2, 3, 3, 3, 2)
					checkOp(t, b, func(in []*Node) *Node {
						return withGradient(in, func(in []*Node) *Node { return way.forward(in[0], in[1], false) }, func(in []*Node) []vjp {
							back := winograd{way.geometry.back(), tile}
							return []vjp{
								func(_, dy *Node) *Node { return back.forward(dy, in[1], true) },
								func(_, dy *Node) *Node { return way.gradKernel(in[0], dy, in[1].Shape()) },
							}
						})
					}, func(in []array) array {
						return refConv(padded(in[0], c.pad), in[1], nil, ConvOptions{Dilation: c.dilation})
					}, x, w)
				})
			}
		}
	})
}

// padded is x with zeros around the image.
func padded(x array, p padding) array {
	n, h, w, c := x.dims[0], x.dims[1], x.dims[2], x.dims[3]
	y := newArray(n, h+p.top+p.bottom, w+p.left+p.right, c)
	for k, v := range x.v {
		*y.at(k/c/w/h, k/c/w%h+p.top, k/c%w+p.left, k%c) = v
	}
	return y
}

// Which convolutions go by tiles: those of 3×3 pixels with channels enough, on an
// image large enough, in float32.
func TestWinogradChoice(t *testing.T) {
	for _, c := range []struct {
		k, n, side, dilation, in, out int
		dtype                         dtypes.DType
		m                             int // 0 = by columns
	}{
		{3, 2, 41, 1, 256, 256, dtypes.Float32, 3},
		{3, 2, 41, 2, 256, 256, dtypes.Float32, 3},
		{3, 2, 8, 1, 64, 64, dtypes.Float32, 2},   // larger ones would hang over
		{3, 1, 7, 1, 512, 512, dtypes.Float32, 0}, // transforming the kernel costs more
		{3, 2, 81, 1, 3, 64, dtypes.Float32, 0},
		{3, 2, 41, 6, 2048, 21, dtypes.Float32, 0}, // the products are moved, not the image
		{3, 2, 41, 1, 256, 256, dtypes.BFloat16, 0},
		{1, 2, 41, 1, 256, 256, dtypes.Float32, 0},
	} {
		pad := c.dilation * (c.k - 1) / 2
		g := geometry{kh: c.k, kw: c.k, dilation: c.dilation, pad: padding{pad, pad, pad, pad}}
		x := shapes.Make(c.dtype, c.n, c.side, c.side, c.in)
		got, ok := g.winograd(x, c.in, c.out)
		if got.m != c.m || ok != (c.m > 0) {
			t.Errorf("%+v: tiles of %d", c, got.m)
		}
		g.native = true
		if got, ok := g.winograd(x, c.in, c.out); ok {
			t.Errorf("%+v: tiles of %d where the engine convolves by itself", c, got.m)
		}
	}
}

// What rounding leaves of a result of 256 channels, relative to the result.
func TestWinogradRounding(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		if backend.KindOf(b) == backend.XLA {
			t.Skip("XLA has its own convolution")
		}
		g := geometry{kh: 3, kw: 3, dilation: 1, pad: padding{1, 1, 1, 1}}
		x, w := random(1, 1, 12, 12, 256), random(2, 3, 3, 256, 16)
		for i, v := range x.v { // as behind a ReLU, and no multiples of a power of two
			x.v[i] = max(v, 0) / 3
		}
		want := refConv(x, w, nil, ConvOptions{Pad: 1})
		off := func(way func(x, w *Node) *Node) float64 {
			got := tensors.MustCopyFlatData[float32](MustNewExec(b, way).MustCall1(x.tensor(), w.tensor()))
			squares, errors := 0.0, 0.0
			for i, v := range want.v {
				squares, errors = squares+v*v, errors+(float64(got[i])-v)*(float64(got[i])-v)
			}
			return math.Sqrt(errors / squares)
		}
		t.Logf("by columns %.1e", off(func(x, w *Node) *Node { return Reshape(product(g.columns(x), Reshape(w, -1, 16)), want.dims...) }))
		for _, tile := range tiles {
			d := off(func(x, w *Node) *Node { return winograd{g, tile}.forward(x, w, false) })
			t.Logf("by tiles of %d %.1e", tile.m, d)
			if !(d <= 1e-5) {
				t.Errorf("tiles of %d: an error of %.1e", tile.m, d)
			}
		}
	})
}
