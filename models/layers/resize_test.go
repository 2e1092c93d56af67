package layers

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// refResize interpolates pixel by pixel.
func refResize(x array, h, w int, corners bool) array {
	source := func(i, from, to int) (int, int, float64) {
		at := max((float64(i)+0.5)*float64(from)/float64(to)-0.5, 0)
		if corners {
			at = float64(i) * float64(from-1) / max(float64(to-1), 1)
		}
		lo := min(int(at), from-1)
		return lo, min(lo+1, from-1), at - float64(lo)
	}
	y := newArray(x.dims[0], h, w, x.dims[3])
	for b := range x.dims[0] {
		for i := range h {
			r0, r1, fr := source(i, x.dims[1], h)
			for j := range w {
				s0, s1, fs := source(j, x.dims[2], w)
				for c := range x.dims[3] {
					top := *x.at(b, r0, s0, c)*(1-fs) + *x.at(b, r0, s1, c)*fs
					bottom := *x.at(b, r1, s0, c)*(1-fs) + *x.at(b, r1, s1, c)*fs
					*y.at(b, i, j, c) = top*(1-fr) + bottom*fr
				}
			}
		}
	}
	return y
}

func TestResize(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		for _, to := range [][2]int{{5, 7}, {9, 14}, {3, 3}, {1, 8}, {8, 1}, {5, 9}} {
			for _, corners := range []bool{false, true} {
				t.Run(fmt.Sprint(to, corners), func(t *testing.T) {
					checkOp(t, b, func(in []*Node) *Node { return Resize(in[0], to[0], to[1], corners) },
						func(in []array) array { return refResize(in[0], to[0], to[1], corners) }, random(1, 2, 5, 7, 3))
				})
			}
		}
	})
}

func TestResizeWithin(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		for _, to := range [][2]int{{5, 7}, {9, 13}, {10, 14}, {1, 8}, {3, 2}} {
			for _, c := range []struct {
				from            []float32 // nil = all
				corners, mirror bool
			}{{}, {from: []float32{5, 7}, corners: true}, {from: []float32{4, 3}}, {from: []float32{2, 6}, corners: true, mirror: true}, {mirror: true}} {
				t.Run(fmt.Sprint(to, c), func(t *testing.T) {
					checkOp(t, b, func(in []*Node) *Node {
						g := in[0].Graph()
						o := Within{To: Const(g, []float32{float32(to[0]), float32(to[1])}), AlignCorners: c.corners, Mirror: c.mirror}
						if c.from != nil {
							o.From = Const(g, c.from)
						}
						y := ResizeWithin(in[0], 10, 14, o)
						return Slice(y, AxisRange(), AxisRange(0, to[0]), AxisRange(0, to[1]), AxisRange())
					}, func(in []array) array {
						x := in[0]
						if c.from != nil {
							x = corner(x, int(c.from[0]), int(c.from[1]))
						}
						y := refResize(x, to[0], to[1], c.corners)
						if c.mirror {
							y = mirrored(y)
						}
						return y
					}, random(1, 2, 5, 7, 3))
				})
			}
		}
	})
}

// TestResizeWithinEach: images of a batch have sizes of their own.
func TestResizeWithinEach(t *testing.T) {
	from, to := [][]float32{{4, 3}, {5, 7}, {1, 6}}, [][]float32{{9, 13}, {5, 7}, {10, 2}}
	each(t, func(t *testing.T, b compute.Backend) {
		for _, mirror := range []bool{false, true} {
			exec := MustNewExec(b, func(x *Node) []*Node {
				g := x.Graph()
				all := ResizeWithin(x, 10, 14, Within{From: Const(g, from), To: Const(g, to), Mirror: mirror})
				out := []*Node{}
				for i := range from {
					one := ResizeWithin(Slice(x, AxisElem(i)), 10, 14, Within{From: Const(g, from[i]), To: Const(g, to[i]), Mirror: mirror})
					out = append(out, ReduceAllMax(Abs(Sub(one, Slice(all, AxisElem(i))))))
				}
				return append(out, ReduceAllMax(all))
			})
			out := exec.MustCall(random(3, 3, 5, 7, 2).tensor())
			for i := range from {
				if d := tensors.ToScalar[float32](out[i]); !(d <= 1e-5) {
					t.Errorf("image %d, mirrored %v: differs by %v", i, mirror, d)
				}
			}
			exec.Finalize()
		}
	})
}

// corner is the upper left h×w of an image batch.
func corner(x array, h, w int) array {
	y := newArray(x.dims[0], h, w, x.dims[3])
	for b := range x.dims[0] {
		for i := range h {
			for j := range w {
				for c := range x.dims[3] {
					*y.at(b, i, j, c) = *x.at(b, i, j, c)
				}
			}
		}
	}
	return y
}

func mirrored(x array) array {
	y := newArray(x.dims...)
	for b := range x.dims[0] {
		for i := range x.dims[1] {
			for j := range x.dims[2] {
				for c := range x.dims[3] {
					*y.at(b, i, j, c) = *x.at(b, i, x.dims[2]-1-j, c)
				}
			}
		}
	}
	return y
}

func TestMeanImage(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		checkOp(t, b, func(in []*Node) *Node { return MeanImage(in[0]) }, func(in []array) array {
			x := in[0]
			y := newArray(x.dims[0], 1, 1, x.dims[3])
			for i, v := range x.v {
				y.v[i/(x.dims[1]*x.dims[2]*x.dims[3])*x.dims[3]+i%x.dims[3]] += v / float64(x.dims[1]*x.dims[2])
			}
			return y
		}, random(1, 2, 3, 5, 4))
	})
}

// TestResizeBy compares both ways to a smaller image with PyTorch 2.13's
// interpolate of a row of 7 (scale_factor = s, and size = the result's).
func TestResizeBy(t *testing.T) {
	row := []float32{3, 1, 4, 1, 5, 9, 2}
	each(t, func(t *testing.T, b compute.Backend) {
		for _, tt := range []struct {
			scale          float64
			factor, bySize []float32
		}{
			{0.5, []float32{2, 2.5, 7}, []float32{1.66667, 1, 6.66667}},
			{0.75, []float32{2.66667, 2.5, 1.5, 5.66667, 5.5}, []float32{2.6, 2.8, 1, 6.6, 3.4}},
		} {
			n := len(tt.factor)
			out := MustNewExec(b, func(x *Node) []*Node {
				to := Const(x.Graph(), []float32{1, float32(n)})
				within := ResizeWithin(x, 1, n+2, Within{To: to, Scale: tt.scale})
				return []*Node{ResizeBy(x, 1, n, tt.scale), Resize(x, 1, n, false), Slice(within, AxisRange(), AxisRange(), AxisRange(0, n), AxisRange())}
			}).MustCall(tensors.FromFlatDataAndDimensions(row, 1, 1, 7, 1))
			for k, want := range [][]float32{tt.factor, tt.bySize, tt.factor} {
				for i, v := range tensors.MustCopyFlatData[float32](out[k]) {
					if math.Abs(float64(v-want[i])) > 1e-4 {
						t.Errorf("scale %g, way %d: value %d is %g, want %g", tt.scale, k, i, v, want[i])
					}
				}
			}
		}
	})
}
