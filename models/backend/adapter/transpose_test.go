package adapter

import (
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// transposer counts the operands of products and the results of graphs that a
// transposition made which moves the last axis.
type transposer struct {
	compute.Function
	slow  map[compute.Value]bool
	count *int
}

func (f transposer) use(values ...compute.Value) {
	for _, v := range values {
		if f.slow[v] {
			*f.count++
		}
	}
}

func (f transposer) Transpose(x compute.Value, permutation ...int) (compute.Value, error) {
	y, err := f.Function.Transpose(x, permutation...)
	f.slow[y] = f.slow[x] || !keepsLast(permutation)
	return y, err
}

func (f transposer) Reshape(x compute.Value, dims ...int) (compute.Value, error) {
	y, err := f.Function.Reshape(x, dims...)
	f.slow[y] = f.slow[x]
	return y, err
}

func (f transposer) DotGeneral(x compute.Value, sumX, batchX []int, y compute.Value, sumY, batchY []int, config compute.DotGeneralConfig) (compute.Value, error) {
	f.use(x, y)
	return f.Function.DotGeneral(x, sumX, batchX, y, sumY, batchY, config)
}

func (f transposer) Return(outputs []compute.Value, shardings []*compute.ShardingSpec) error {
	f.use(outputs...)
	return f.Function.Return(outputs, shardings)
}

// TestTranspositions: products take transposed matrices as they were before, and
// transpositions that undo each other are none. The results are those without that.
func TestTranspositions(t *testing.T) {
	matrix := func(x *Node, sum int, w *Node) *Node {
		return DotGeneral(x, []int{x.Rank() - 1}, nil, w, []int{sum}, nil)
	}
	for name, c := range map[string]struct {
		f    func(in []*Node) []*Node
		dims [][]int
		slow int
	}{
		// A linear layer of PyTorch's weights, and both its gradients: that of the
		// weights needs the output's transposed.
		"linear layer": {func(in []*Node) []*Node {
			y := matrix(in[0], 0, Transpose(in[1], 0, 1))
			return append(Gradient(ReduceAllSum(Mul(y, Sin(y))), in...), y)
		}, [][]int{{2, 90, 40}, {60, 40}}, 1},
		"transposed left": {func(in []*Node) []*Node { return []*Node{matrix(Transpose(in[0], 0, 1), 0, in[1])} }, [][]int{{80, 90}, {80, 70}}, 1},
		"twice":           {func(in []*Node) []*Node { return []*Node{Transpose(Transpose(in[0], 0, 1), 0, 1)} }, [][]int{{80, 90}}, 0},
		"none":            {func(in []*Node) []*Node { return []*Node{TransposeAllAxes(in[0], 0, 1, 2)} }, [][]int{{8, 80, 9}}, 0},
		"there and almost back": {func(in []*Node) []*Node {
			return []*Node{TransposeAllAxes(TransposeAllAxes(in[0], 0, 3, 1, 2), 0, 3, 2, 1)}
		}, [][]int{{3, 20, 12, 16}}, 0},
		"further": {func(in []*Node) []*Node {
			y := TransposeAllAxes(TransposeAllAxes(in[0], 0, 2, 1, 3), 0, 3, 1, 2)
			return []*Node{y, TransposeAllAxes(y, 2, 0, 3, 1)}
		}, [][]int{{3, 20, 12, 16}}, 1},
		// Queries, keys and values [batch, places, heads, width], as PyTorch exports
		// attention.
		"attention": {func(in []*Node) []*Node {
			q, k, v := TransposeAllAxes(in[0], 0, 2, 1, 3), TransposeAllAxes(in[1], 0, 2, 3, 1), TransposeAllAxes(in[2], 0, 2, 1, 3)
			batch := []int{0, 1}
			scores := DotGeneral(q, []int{3}, batch, k, []int{2}, batch)
			return []*Node{TransposeAllAxes(DotGeneral(Softmax(scores, -1), []int{3}, batch, v, []int{2}, batch), 0, 2, 1, 3)}
		}, [][]int{{2, 30, 4, 24}, {2, 35, 4, 24}, {2, 35, 4, 24}}, 0},
		"attention's gradients": {func(in []*Node) []*Node {
			q, k := TransposeAllAxes(in[0], 0, 2, 1, 3), TransposeAllAxes(in[1], 0, 2, 3, 1)
			scores := DotGeneral(q, []int{3}, []int{0, 1}, k, []int{2}, []int{0, 1})
			return Gradient(ReduceAllSum(Mul(scores, Sin(scores))), in...)
		}, [][]int{{2, 30, 4, 24}, {2, 35, 4, 24}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			slow := 0
			direct := New(engine(t), Options{Function: func(f compute.Function) compute.Function {
				return Direct(transposer{f, map[compute.Value]bool{}, &slow})
			}})
			want, got := outputs(engine(t), c.f, c.dims), outputs(direct, c.f, c.dims)
			for i := range want {
				if !want[i].InDelta(got[i], 1e-3) {
					t.Errorf("output %d differs", i)
				}
			}
			if slow != c.slow {
				t.Errorf("%d of the operands and results come of slow transpositions, want %d", slow, c.slow)
			}
		})
	}
}
