package layers

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// winograd is a convolution of 3×3 pixels in tiles of m×m results, each of which
// takes (m+2)² products instead of 9·m² (Lavin and Gray, 2016, arXiv:1509.09308):
// the pixels that a tile reads and the kernel are transformed, multiplied place by
// place, which is a product of matrices for each place, and transformed back. With
// a dilation, every dilation-th pixel belongs to a tile.
type winograd struct {
	geometry
	tile
}

// tile holds the transformations of one axis, for tiles of m results that read
// m+2 pixels: results = results·((kernel·w) ∘ (pixels·x)).
type tile struct {
	m       int
	pixels  [][]float64 // [m+2][m+2]
	kernel  [][]float64 // [m+2][3]
	results [][]float64 // [m][m+2]
}

// tiles are by the points at which the polynomials are multiplied: 0, 1, −1 and
// infinity, and 2 for the larger one. Still larger ones lose digits of float32.
var tiles = []tile{
	{2,
		[][]float64{{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, -1, 0, 1}},
		[][]float64{{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}},
		[][]float64{{1, 1, 1, 0}, {0, 1, -1, 1}}},
	{3,
		[][]float64{{2, -1, -2, 1, 0}, {0, -2, -1, 1, 0}, {0, 2, -3, 1, 0}, {0, -1, 0, 1, 0}, {0, 2, -1, -2, 1}},
		[][]float64{{.5, 0, 0}, {-.5, -.5, -.5}, {-1. / 6, 1. / 6, -1. / 6}, {1. / 6, 1. / 3, 2. / 3}, {0, 0, 1}},
		[][]float64{{1, 1, 1, 1, 0}, {0, 1, -1, 2, 0}, {0, 1, 1, 4, 1}}},
}

// moving is what it takes to move a value, in multiplications: to gather it and
// transform it, or to write it into columns and read it again.
const moving = 64

// winograd is the way by tiles for an image x [n, h, w, in] and a kernel [3, 3,
// in, out]; false where it would not be the faster one.
func (g geometry) winograd(x shapes.Shape, in, out int) (winograd, bool) {
	if g.native || g.kh != 3 || g.kw != 3 || x.DType != dtypes.Float32 {
		return winograd{}, false
	}
	ho, wo := g.outSize(x.Dim(1), x.Dim(2))
	moved := in
	if g.narrows(in, out) {
		moved = out
	}
	least, best := x.Dim(0)*ho*wo*9*(in*out+moving*moved), winograd{}
	for _, t := range tiles {
		w := winograd{g, t}
		places, count := (t.m+2)*(t.m+2), x.Dim(0)*len(w.starts(ho))*len(w.starts(wo))
		if cost := places * (count*(in*out+moving*(in+out)) + moving/2*in*out); cost < least {
			least, best = cost, w
		}
	}
	return best, best.m > 0
}

// starts are the first results of the tiles along an axis of so many results.
func (t winograd) starts(results int) []int {
	var first []int
	for phase := range min(t.dilation, results) {
		for at := phase; at < results; at += t.dilation * t.m {
			first = append(first, at)
		}
	}
	return first
}

// forward is the convolution of x [n, h, w, in] with w [3, 3, in, out], or with
// the kernel w [3, 3, out, in] turned by 180°.
func (t winograd) forward(x, w *Node, turned bool) *Node {
	n, out, sum := x.Shape().Dim(0), w.Shape().Dim(3), 1
	if turned {
		out, sum = w.Shape().Dim(2), 2
	}
	ho, wo := t.outSize(x.Shape().Dim(1), x.Shape().Dim(2))
	kernel := square(t.kernel)
	if turned {
		for _, row := range kernel {
			slices.Reverse(row)
		}
	}
	products := DotGeneral(t.read(x, ho, wo, turned), []int{2}, []int{0}, transform(kernel, flatKernel(w)), []int{sum}, []int{0})
	results := transform(square(t.results), products)
	return Reshape(gatherRows(flat(results), t.places(n, ho, wo)), n, ho, wo, out)
}

// gradKernel is the gradient of a kernel of shape w.
func (t winograd) gradKernel(x, dy *Node, w shapes.Shape) *Node {
	ho, wo := dy.Shape().Dim(1), dy.Shape().Dim(2)
	results := t.patches(dy, t.m, padding{}, ho, wo, false)
	products := transform(transposed(square(t.results)), results)
	kernel := DotGeneral(t.read(x, ho, wo, true), []int{1}, []int{0}, products, []int{1}, []int{0})
	return ReshapeWithShape(transform(transposed(square(t.kernel)), kernel), w)
}

// read is what the tiles of a result of ho×wo read of x, transformed: [(m+2)²,
// tiles, channels]. again is that of gathered.
func (t winograd) read(x *Node, ho, wo int, again bool) *Node {
	return transform(square(t.pixels), t.patches(x, t.m+2, t.pad, ho, wo, again))
}

// patches gathers side×side pixels of x for each tile of a result of ho×wo, zeros
// beyond the image: [side², tiles, channels]. again is that of gathered.
func (t winograd) patches(x *Node, side int, pad padding, ho, wo int, again bool) *Node {
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	rows, columns := t.starts(ho), t.starts(wo)
	index := make([]int32, 0, side*side*n*len(rows)*len(columns))
	for place := range side * side {
		down, right := place/side*t.dilation-pad.top, place%side*t.dilation-pad.left
		for b := range n {
			for _, r := range rows {
				for _, s := range columns {
					index = append(index, pixel(b, r+down, s+right, h, w))
				}
			}
		}
	}
	return Reshape(pixels(x, index, again), side*side, -1, c)
}

// places tells for each pixel of a result [n, ho, wo] where it lies among those of
// the tiles, [m·m, tiles].
func (t winograd) places(n, ho, wo int) []int32 {
	rows, columns := t.starts(ho), t.starts(wo)
	at, index := int32(0), make([]int32, n*ho*wo)
	for place := range t.m * t.m {
		for b := range n {
			for _, r := range rows {
				for _, s := range columns {
					if k := pixel(b, r+place/t.m*t.dilation, s+place%t.m*t.dilation, ho, wo); k >= 0 {
						index[k] = at
					}
					at++
				}
			}
		}
	}
	return index
}

// transform multiplies the first axis of x by a matrix.
func transform(m [][]float64, x *Node) *Node {
	var flat []float32
	for _, row := range m {
		for _, v := range row {
			flat = append(flat, float32(v))
		}
	}
	dims := slices.Clone(x.Shape().Dimensions)
	y := product(ConstTensor(x.Graph(), tensors.FromFlatDataAndDimensions(flat, len(m), dims[0])), Reshape(x, dims[0], -1))
	dims[0] = len(m)
	return Reshape(y, dims...)
}

// square is the transformation m of both axes of an image, whose pixels are one
// axis.
func square(m [][]float64) [][]float64 {
	var s [][]float64
	for _, down := range m {
		for _, right := range m {
			row := make([]float64, 0, len(down)*len(right))
			for _, a := range down {
				for _, b := range right {
					row = append(row, a*b)
				}
			}
			s = append(s, row)
		}
	}
	return s
}

func transposed(m [][]float64) [][]float64 {
	t := make([][]float64, len(m[0]))
	for i := range t {
		for _, row := range m {
			t[i] = append(t[i], row[i])
		}
	}
	return t
}

// flatKernel makes the pixels of a kernel one axis: [kh·kw, in, out].
func flatKernel(w *Node) *Node {
	d := w.Shape().Dimensions
	return Reshape(w, d[0]*d[1], d[2], d[3])
}
