package backend

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/nn"
)

// wave is a tensor of float32 between -3 and 3.
func wave(dims ...int) *tensors.Tensor {
	t := numbered(false, dims...)
	t.MustMutableFlatData(func(flat any) {
		v := flat.([]float32)
		for i := range v {
			v[i] = 3 * float32(math.Sin(float64(i)*1.7))
		}
	})
	return t
}

// agree runs a graph on waves of the given dimensions in float32, with one
// worker and with seven, and in float64, where the arithmetic is GoMLX's own.
func agree(t *testing.T, tolerance float64, f func(in []*Node) *Node, inputs ...[]int) {
	t.Helper()
	run := func(spec string, dtype dtypes.DType) []float64 {
		b, err := Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		exec := MustNewExec(b, func(in []*Node) *Node {
			for i, x := range in {
				in[i] = ConvertDType(x, dtype)
			}
			return ConvertDType(f(in), dtypes.Float32)
		})
		args := make([]any, len(inputs))
		for i, dims := range inputs {
			args[i] = wave(dims...)
		}
		return values(exec.MustCall1(args...))
	}
	alone, several, want := run("go:parallelism=1", dtypes.Float32), run("go:parallelism=7", dtypes.Float32), run("go", dtypes.Float64)
	if !slices.Equal(alone, several) {
		t.Error("seven workers give other bits than one")
	}
	for i, v := range alone {
		if !(math.Abs(v-want[i]) <= tolerance*math.Max(1, math.Abs(want[i]))) {
			t.Fatalf("value %d of %d: %v, want %v", i, len(alone), v, want[i])
		}
	}
}

func TestGoOperations(t *testing.T) {
	for _, dims := range [][2][]int{
		{{5}, {5}}, {{70, 700}, {70, 700}}, {{70, 700}, {1, 700}}, {{70, 700}, {70, 1}}, {{1, 700}, {70, 1}}, {{3, 1, 40, 1}, {1, 50, 1, 60}},
		{{2, 30, 40, 50}, {2, 1, 1, 50}}, {{300, 200}, {1, 1}}, {{}, {300, 200}}, {{40, 1, 40}, {40, 40, 1}}, {{100000}, {1}},
		{{3000, 7, 2}, {3000, 1, 2}}, {{90, 90, 3}, {90, 90, 1}}, {{9000, 1, 4}, {1, 9, 1}}, {{5, 1, 1, 2}, {5, 30, 40, 2}}, {{9, 3000, 1, 5}, {9, 1, 6, 5}},
	} {
		t.Run(fmt.Sprint(dims), func(t *testing.T) {
			agree(t, 1e-5, func(in []*Node) *Node {
				x, y := in[0], AddScalar(in[1], 4)
				sum := Add(Mul(Sub(x, y), Max(x, y)), Min(y, x))
				return Add(Div(sum, y), Sub(y, x))
			}, dims[0], dims[1])
		})
	}
}

func TestGoFunctions(t *testing.T) {
	for name, f := range map[string]func(x *Node) *Node{
		"exp": Exp, "erf": Erf, "tanh": Tanh, "sigmoid": Sigmoid,
		"sqrt":  func(x *Node) *Node { return Sqrt(AddScalar(x, 4)) },
		"rsqrt": func(x *Node) *Node { return Rsqrt(AddScalar(x, 4)) },
		"gelu":  func(x *Node) *Node { return activation.Apply(activation.TypeGelu, x) },
		"where": func(x *Node) *Node {
			zero := ScalarZero(x.Graph(), x.DType())
			return Where(GreaterThan(x, zero), MulScalar(x, 3), Where(GreaterThan(zero, AddScalar(x, 1)), x, zero))
		},
	} {
		t.Run(name, func(t *testing.T) { agree(t, 1e-6, func(in []*Node) *Node { return f(in[0]) }, []int{300, 301}) })
	}
}

func TestGoReductions(t *testing.T) {
	for _, c := range []struct{ dims, axes []int }{
		{[]int{7}, []int{0}}, {[]int{200000}, nil}, {[]int{500, 400}, []int{1}}, {[]int{500, 400}, []int{0}}, {[]int{40, 50, 60}, []int{1}},
		{[]int{40, 50, 60}, []int{0, 1}}, {[]int{40, 50, 60}, []int{1, 2}}, {[]int{40, 50, 60}, []int{0, 2}}, {[]int{40, 50, 60}, []int{-1, -3}}, {[]int{9000, 3}, []int{0}},
		{[]int{4, 1, 9}, []int{1}}, {[]int{3000, 40}, []int{0}}, {[]int{2, 30, 30, 1}, []int{1, 2}},
	} {
		t.Run(fmt.Sprint(c.dims, c.axes), func(t *testing.T) {
			agree(t, 2e-5, func(in []*Node) *Node { return ReduceSum(in[0], c.axes...) }, c.dims)
			agree(t, 0, func(in []*Node) *Node {
				return ReduceMax(ConvertDType(in[0], dtypes.Float32), c.axes...)
			}, c.dims)
		})
	}
}

func TestGoRows(t *testing.T) {
	for _, dims := range [][]int{{3, 5}, {700, 197}, {20, 30, 40}} {
		t.Run(fmt.Sprint(dims), func(t *testing.T) {
			rank := len(dims)
			for _, axis := range []int{rank - 1, 0} {
				agree(t, 1e-6, func(in []*Node) *Node { return Softmax(in[0], axis) }, dims)
			}
			size := dims[rank-1]
			agree(t, 1e-5, func(in []*Node) *Node {
				return nn.LayerNorm(in[0], []int{rank - 1}, 1e-5, in[1], AddScalar(in[1], 1), nil)
			}, dims, []int{size})
		})
	}
}

// TestGoGather: rows by number, numbers beyond the table held at its ends, and
// their sum by weights.
func TestGoGather(t *testing.T) {
	for _, dims := range [][]int{{9, 1}, {700, 32}, {300, 45}, {40, 3, 7}} {
		for _, dtype := range []dtypes.DType{dtypes.Int32, dtypes.Int64} {
			t.Run(fmt.Sprint(dims, dtype), func(t *testing.T) {
				size, rows := dims[0], []int{4000, 6}
				index := func(x *Node) *Node { // from below 0 to above the last
					return InsertAxes(ConvertDType(MulScalar(AddScalar(x, 2.8), float64(size)/5), dtype), -1)
				}
				lookup := func(in []*Node) *Node { return Gather(in[0], index(ConvertDType(in[1], dtypes.Float32))) }
				agree(t, 0, lookup, dims, rows)
				if len(dims) == 2 {
					agree(t, 1e-5, func(in []*Node) *Node {
						return DotGeneral(InsertAxes(in[2], 1), []int{2}, []int{0}, lookup(in), []int{1}, []int{0})
					}, dims, rows, rows)
				}
			})
		}
	}
}
