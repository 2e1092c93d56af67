package gohook

import (
	_ "unsafe" // for go:linkname

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/internal/gobackend"
	"github.com/gomlx/compute/internal/gobackend/fusedops"
)

// Kernels are arithmetic on slices of float32. An operand of one value counts
// for all of dst; dst may be an operand. Results must not depend on where in
// a slice a value stands, since operations are cut for several goroutines.
type Kernels struct {
	Functions  map[compute.OpType]func(dst, x []float32)
	Operations map[compute.OpType]func(dst, a, b []float32)
	Reductions map[compute.OpType]Reduction
	Greater    func(dst []bool, a, b []float32)
	Where      func(dst []float32, cond []bool, a, b []float32)
	Softmax    func(dst, x []float32)
	Gelu       func(dst, x []float32) // the exact one, with the error function
	LayerNorm  func(dst, x, gamma, beta []float32, epsilon float64)
	// WeightedRows sets dst to the sum of rows of table, each as long as dst,
	// times their weights.
	WeightedRows func(dst, table []float32, rows []int32, weights []float32)
}

// Reduction reduces a row to a value; Join is the same between two values.
type Reduction struct {
	Row  func(x []float32) float32
	Join func(dst, a, b []float32)
}

// SetKernels makes k do the go backend's arithmetic on float32. What k does not
// cover (other types, shapes that are not known when the graph is built, some
// axes) stays with GoMLX. Call it while packages initialise.
func SetKernels(k Kernels) {
	for op, f := range k.Functions {
		replace(op, function(f))
	}
	for op, f := range k.Operations {
		replace(op, operation(f))
	}
	for op, r := range k.Reductions {
		replace(op, r.reduce)
	}
	replace(compute.OpTypeGreaterThan, greater(k.Greater))
	replace(compute.OpTypeWhere, where(k.Where))
	gobackend.RegisterFusedSoftmax.Register(buildSoftmax, gobackend.PriorityArch)
	replace(compute.OpTypeFusedSoftmax, softmax(k.Softmax))
	gobackend.RegisterFusedGelu.Register(buildGelu, gobackend.PriorityArch)
	replace(compute.OpTypeFusedGelu, gelu(k.Gelu))
	gobackend.RegisterFusedLayerNorm.Register(buildLayerNorm, gobackend.PriorityArch)
	replace(compute.OpTypeFusedLayerNorm, layerNorm(k.LayerNorm))
	gobackend.RegisterDotGeneral.Register(buildProduct, gobackend.PriorityArch)
	replace(compute.OpTypeDotGeneral, weightedRows(k.WeightedRows))
}

// nodeExecutors is GoMLX's own table, to which it has no getter.
//
//go:linkname nodeExecutors github.com/gomlx/compute/internal/gobackend.nodeExecutors
var nodeExecutors [compute.OpTypeLast]gobackend.NodeExecutor

// The executors that are replaced register themselves in these packages, which
// must therefore come first.
var _ = fusedops.FusedSoftmax

// executor is as gobackend.NodeExecutor, but returns no buffer for what it
// does not cover, and then has changed nothing.
type executor func(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, owned []bool) (*gobackend.Buffer, error)

// replace puts e before the executor that op has.
func replace(op compute.OpType, e executor) {
	previous := nodeExecutors[op]
	gobackend.SetNodeExecutor(op, gobackend.PriorityArch, func(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, owned []bool) (*gobackend.Buffer, error) {
		if output, err := e(b, node, inputs, owned); output != nil || err != nil {
			return output, err
		}
		return previous(b, node, inputs, owned)
	})
}

// floats are the values of a buffer that is float32 and not empty.
func floats(x *gobackend.Buffer) ([]float32, bool) {
	v, ok := x.Flat.([]float32)
	return v, ok && x.RawShape.DType == dtypes.Float32 && len(v) > 0
}

// result is a buffer of the node's shape: one of the inputs where that is not
// needed any more, the last first.
func result(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, owned []bool) (*gobackend.Buffer, []float32, error) {
	for i := len(inputs) - 1; i >= 0; i-- {
		if owned[i] && inputs[i].RawShape.Equal(node.Shape) {
			output := inputs[i]
			inputs[i] = nil // taken over
			return output, output.Flat.([]float32), nil
		}
	}
	output, err := b.GetBuffer(node.Shape)
	if err != nil {
		return nil, nil, err
	}
	return output, output.Flat.([]float32), nil
}

// block is how many values are worth a task of their own.
const block = 1 << 14

// inBlocks calls work for ranges of at most block values that make up 0..n.
func inBlocks(b *gobackend.Backend, n int, work func(from, to int)) {
	inParallel(b, (n+block-1)/block, 4*n, func(first, end int) {
		for i := first; i < end; i++ {
			work(i*block, min((i+1)*block, n))
		}
	})
}

// cut is v[from:to], or v if that is one value for all.
func cut[T any](v []T, from, to int) []T {
	if len(v) == 1 {
		return v
	}
	return v[from:to]
}

// function is f of every value.
func function(f func(dst, x []float32)) executor {
	return func(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, owned []bool) (*gobackend.Buffer, error) {
		x, ok := floats(inputs[0])
		if !ok || !inputs[0].RawShape.Equal(node.Shape) {
			return nil, nil
		}
		output, dst, err := result(b, node, inputs, owned)
		if err != nil {
			return nil, err
		}
		inBlocks(b, len(x), func(from, to int) { f(dst[from:to], x[from:to]) })
		return output, nil
	}
}

// greater is x > y, where neither is broadcast but from one value.
func greater(f func(dst []bool, x, y []float32)) executor {
	return func(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, _ []bool) (*gobackend.Buffer, error) {
		x, ok := floats(inputs[0])
		y, ok2 := floats(inputs[1])
		if !ok || !ok2 || node.Shape.IsDynamic() || !fits(len(x), node) || !fits(len(y), node) {
			return nil, nil
		}
		output, err := b.GetBuffer(node.Shape)
		if err != nil {
			return nil, err
		}
		dst := output.Flat.([]bool)
		inBlocks(b, len(dst), func(from, to int) { f(dst[from:to], cut(x, from, to), cut(y, from, to)) })
		return output, nil
	}
}

// where chooses between arrays or values by an array of conditions.
func where(f func(dst []float32, cond []bool, x, y []float32)) executor {
	return func(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, owned []bool) (*gobackend.Buffer, error) {
		cond, isBool := inputs[0].Flat.([]bool)
		x, ok := floats(inputs[1])
		y, ok2 := floats(inputs[2])
		if !isBool || !ok || !ok2 || node.Shape.IsDynamic() || len(cond) != node.Shape.Size() || !fits(len(x), node) || !fits(len(y), node) {
			return nil, nil
		}
		// The conditions are never of the result's type.
		output, dst, err := result(b, node, inputs, owned)
		if err != nil {
			return nil, err
		}
		inBlocks(b, len(dst), func(from, to int) { f(dst[from:to], cond[from:to], cut(x, from, to), cut(y, from, to)) })
		return output, nil
	}
}

// fits tells whether n values are as many as the result's, or one.
func fits(n int, node *gobackend.Node) bool { return n == 1 || n == node.Shape.Size() }
