package adapter

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// both opens the go backend by itself and with Direct before its functions.
func both(t *testing.T) (plain, direct compute.Backend) {
	t.Helper()
	return engine(t), New(engine(t), Options{Function: Direct})
}

// engine is the backend by itself.
func engine(t *testing.T) compute.Backend {
	t.Helper()
	b, err := gobackend.New("ops_sequential,creation_order")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// outputs are those of a graph for waves of these dimensions.
func outputs(b compute.Backend, f func(in []*Node) []*Node, dims [][]int) []*tensors.Tensor {
	args := make([]any, len(dims))
	for i, d := range dims {
		args[i] = wave(d...)
	}
	return MustNewExec(b, f).MustCall(args...)
}

func wave(dims ...int) *tensors.Tensor {
	t := tensors.FromShape(shapes.Make(dtypes.Float32, dims...))
	tensors.MustMutableFlatData(t, func(v []float32) {
		for i := range v {
			v[i] = float32(math.Sin(float64(i)*1.7)) + 0.1
		}
	})
	return t
}

// TestDirect compares graphs on the backend by itself and with Direct.
func TestDirect(t *testing.T) {
	plain, direct := both(t)
	for name, c := range map[string]struct {
		f    func(in []*Node) []*Node
		dims [][]int
	}{
		"broadcasts": {func(in []*Node) []*Node {
			x, row, column := in[0], in[1], in[2]
			wide := func(n *Node) *Node { return BroadcastToDims(n, 5, 6) }
			return []*Node{Add(x, wide(row)), Sub(wide(column), x), Mul(wide(row), wide(column)), Div(wide(row), wide(row)),
				Max(Neg(wide(row)), Exp(wide(column))), Log(Abs(Mul(wide(row), wide(row)))), ReduceSum(Neg(wide(column)), 0),
				Where(GreaterThan(x, wide(row)), wide(Scalar(x.Graph(), dtypes.Float32, 2)), Sqrt(Abs(wide(column)))),
				AddScalar(wide(row), 3), ConvertDType(LogicalNot(LessThan(wide(row), wide(column))), dtypes.Float32)}
		}, [][]int{{5, 6}, {1, 6}, {5, 1}}},
		"reshapes": {func(in []*Node) []*Node {
			x := in[0]
			flat := Reshape(x, 6, 5)
			return []*Node{flat, Reshape(flat, 5, 6), Reshape(Reshape(flat, 30), 2, 15), Add(Reshape(flat, 5, 6), x), Transpose(flat, 0, 1)}
		}, [][]int{{5, 6}}},
		"returned": {func(in []*Node) []*Node {
			x := in[0]
			return []*Node{x, Identity(x), Reshape(x, 5, 6), Identity(AddScalar(x, 1)), AddScalar(x, 1)}
		}, [][]int{{5, 6}}},
		"products": {func(in []*Node) []*Node {
			x, y, w := in[0], in[1], in[2] // [2 30 40 8], [2 30 40 12], [1 1 8 12]
			rows := func(n *Node) *Node { return Reshape(n, 2*30*40, n.Shape().Dim(3)) }
			kernel := Reshape(w, 8, 12)
			out := Reshape(DotGeneral(rows(x), []int{1}, nil, kernel, []int{0}, nil), 2, 30, 40, 12)
			back := DotGeneral(rows(y), []int{1}, nil, kernel, []int{1}, nil)
			grad := DotGeneral(Transpose(rows(y), 0, 1), []int{1}, nil, rows(x), []int{0}, nil)
			other := DotGeneral(Reshape(Transpose(rows(x), 0, 1), 8, 2400), []int{1}, nil, rows(Add(y, out)), []int{0}, nil)
			first := DotGeneral(rows(x), []int{0}, nil, rows(y), []int{0}, nil)
			return []*Node{out, back, grad, other, first, Reshape(back, 2, 30, 40, 8)}
		}, [][]int{{2, 30, 40, 8}, {2, 30, 40, 12}, {1, 1, 8, 12}}},
		"slices": {func(in []*Node) []*Node {
			x := in[0] // [3 20 7 6]
			block := Slice(x, AxisRange(), AxisRange(2, 19), AxisRange(1, 7), AxisRange())
			return []*Node{block, Slice(x, AxisRange(), AxisRange(0, 20), AxisRange(), AxisRange()), Slice(x, AxisElem(1), AxisRange(), AxisRange(), AxisRange()), Slice(x, AxisRange(), AxisRange(3, 5), AxisRange(), AxisRange()),
				Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(1, 3)), Slice(x, AxisRange(), AxisRange(0, 20).Stride(3), AxisRange(), AxisRange()),
				ConvertDType(Slice(ConvertDType(MulScalar(x, 1000), dtypes.Int32), AxisElem(2), AxisRange(1, 18), AxisRange(), AxisRange()), dtypes.Float32), Slice(Reshape(x, -1), AxisRange(100, 1100)),
				Gradient(ReduceAllSum(Mul(block, block)), x)[0]}
		}, [][]int{{3, 20, 7, 6}}},
		"transpositions": {func(in []*Node) (all []*Node) {
			x := in[0] // [5 12 9 10]
			for _, p := range [][]int{{0, 2, 3, 1}, {0, 3, 1, 2}, {0, 1, 3, 2}, {3, 2, 1, 0}, {1, 3, 2, 0}, {2, 3, 0, 1}, {3, 0, 1, 2}, {1, 2, 3, 0}, {0, 2, 1, 3}, {1, 0, 3, 2}} {
				y := TransposeAllAxes(x, p...)
				all = append(all, y, Gradient(ReduceAllSum(Mul(y, Sin(y))), x)[0])
			}
			return append(all, TransposeAllAxes(Reshape(x, 60, 90), 1, 0), TransposeAllAxes(Reshape(x, 10, 1, 540), 2, 0, 1))
		}, [][]int{{5, 12, 9, 10}}},
		"products in batches": {func(in []*Node) (all []*Node) {
			x, y := in[0], in[1] // [4 30 50], [4 30 60]
			a, b := TransposeAllAxes(x, 0, 2, 1), TransposeAllAxes(y, 0, 2, 1)
			z := DotGeneral(x, []int{1}, []int{0}, y, []int{1}, []int{0})
			all = append(all, z, DotGeneral(a, []int{2}, []int{0}, y, []int{1}, []int{0}), DotGeneral(x, []int{1}, []int{0}, b, []int{2}, []int{0}),
				DotGeneral(Reshape(x, 4, 5, 6, 50), []int{1, 2}, []int{0}, Reshape(y, 4, 5, 6, 60), []int{1, 2}, []int{0}),
				DotGeneral(Reshape(x, 4, 5, 6, 50), []int{2, 1}, []int{0}, Reshape(TransposeAllAxes(Reshape(y, 4, 5, 6, 60), 0, 2, 1, 3), 4, 6, 5, 60), []int{1, 2}, []int{0}),
				DotGeneral(x, []int{0, 1}, nil, y, []int{0, 1}, nil), DotGeneral(TransposeAllAxes(x, 1, 0, 2), []int{0}, []int{1}, y, []int{1}, []int{0}))
			return append(all, Gradient(ReduceAllSum(Mul(z, Sin(z))), x, y)...)
		}, [][]int{{4, 30, 50}, {4, 30, 60}}},
		"gradients": {func(in []*Node) []*Node {
			x, w := in[0], in[1]
			y := Softmax(DotGeneral(Reshape(x, 30, 4), []int{1}, nil, w, []int{0}, nil), -1)
			return Gradient(ReduceAllSum(Mul(Log(y), Sin(y))), x, w)
		}, [][]int{{5, 6, 4}, {4, 7}}},
	} {
		t.Run(name, func(t *testing.T) {
			want, got := outputs(plain, c.f, c.dims), outputs(direct, c.f, c.dims)
			for i := range want {
				if !want[i].Shape().Equal(got[i].Shape()) {
					t.Fatalf("output %d: %s, want %s", i, got[i].Shape(), want[i].Shape())
				}
				a, b := tensors.MustCopyFlatData[float32](want[i]), tensors.MustCopyFlatData[float32](got[i])
				for k := range a {
					if !(math.Abs(float64(a[k]-b[k])) <= 1e-4*max(1, math.Abs(float64(a[k])))) {
						t.Fatalf("output %d, value %d: %v, want %v", i, k, b[k], a[k])
					}
				}
			}
		})
	}
}

// TestControl runs functions within functions.
func TestControl(t *testing.T) {
	_, direct := both(t)
	f := New(direct.(*Backend).Backend, Options{Function: Direct}).Builder("control").Main()
	x, err := f.Parameter("x", shapes.Make(dtypes.Int32), nil)
	if err != nil {
		t.Fatal(err)
	}
	inside := func(build func(c compute.Function, v compute.Value) (compute.Value, error)) compute.Function {
		c, err := f.Closure()
		if err != nil {
			t.Fatal(err)
		}
		if c.Parent() != f {
			t.Error("the parent of a closure is another function")
		}
		v, err := c.Parameter("v", shapes.Make(dtypes.Int32), nil)
		if err != nil {
			t.Fatal(err)
		}
		out, err := build(c, v)
		if err == nil {
			err = c.Return([]compute.Value{out}, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	number := func(c compute.Function, n int32) compute.Value {
		v, err := c.Constant([]int32{n})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	out, err := f.While(
		inside(func(c compute.Function, v compute.Value) (compute.Value, error) { return c.LessThan(v, number(c, 100)) }),
		inside(func(c compute.Function, v compute.Value) (compute.Value, error) { return c.Mul(v, number(c, 3)) }), x)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Return(out, nil); err != nil {
		t.Fatal(err)
	}
}

// TestBuffers: a backend takes its own buffers alone, and names itself as theirs.
func TestBuffers(t *testing.T) {
	_, a := both(t)
	_, b := both(t)
	in, err := a.BufferFromFlatData(0, []float32{1, 2}, shapes.Make(dtypes.Float32, 2))
	if err != nil {
		t.Fatal(err)
	}
	if in.Backend() != a {
		t.Errorf("the buffer is of %v", in.Backend())
	}
	run := func(on compute.Backend) ([]compute.Buffer, error) {
		g := on.Builder("buffers")
		f := g.Main()
		x, err := f.Parameter("x", shapes.Make(dtypes.Float32, 2), nil)
		if err != nil {
			t.Fatal(err)
		}
		y, err := f.Add(x, x)
		if err == nil {
			err = f.Return([]compute.Value{y}, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		exec, err := g.Compile()
		if err != nil {
			t.Fatal(err)
		}
		return exec.Execute([]compute.Buffer{in}, nil, 0)
	}
	out, err := run(a)
	if err != nil {
		t.Fatal(err)
	}
	if flat, err := out[0].Data(); err != nil || fmt.Sprint(flat) != "[2 4]" || out[0].Backend() != a {
		t.Errorf("%v of %v, %v", flat, out[0].Backend(), err)
	}
	if _, err := run(b); err == nil || !strings.Contains(err.Error(), "input 0 is no buffer of backend") {
		t.Errorf("a buffer of another backend: %v", err)
	}
}
