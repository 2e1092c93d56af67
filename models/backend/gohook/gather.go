package gohook

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/internal/gobackend"
	"github.com/gomlx/compute/internal/gobackend/dot"
	"github.com/gomlx/compute/internal/gobackend/ops"
)

func init() {
	gobackend.RegisterGather.Register(gather, gobackend.PriorityArch)
	replace(compute.OpTypeGather, execGather)
}

// lookupData marks gathers of whole rows, the slices of the first axis.
type lookupData struct{}

// EqualNodeData implements gobackend.NodeDataComparable.
func (*lookupData) EqualNodeData(other gobackend.NodeDataComparable) bool {
	_, ok := other.(*lookupData)
	return ok
}

// gather leaves all but gathers of rows by a number each to GoMLX.
func gather(f *gobackend.Function, operand, indices compute.Value, vectorAxis int, offsetAxes, collapsed, startMap, sizes []int, sorted bool) (compute.Value, error) {
	inputs, err := f.VerifyAndCastValues("Gather", operand, indices)
	if err != nil {
		return nil, err
	}
	x, index := inputs[0].Shape, inputs[1].Shape
	whole := x.Rank() > 0 && !x.IsDynamic() && !index.IsDynamic() && !x.DType.IsPacked() && x.Size() > 0 && x.Dimensions[0] < 1<<31 && (index.DType == dtypes.Int32 || index.DType == dtypes.Int64) &&
		slices.Equal(startMap, []int{0}) && slices.Equal(collapsed, []int{0}) && sizes[0] == 1 && slices.Equal(sizes[1:], x.Dimensions[1:])
	dims := slices.Clone(index.Dimensions)
	if vectorAxis < len(dims) {
		whole = whole && vectorAxis == len(dims)-1 && dims[vectorAxis] == 1
		dims = dims[:len(dims)-1]
	}
	for i, axis := range offsetAxes {
		whole = whole && axis == len(dims)+i
	}
	if !whole {
		return ops.Gather(f, operand, indices, vectorAxis, offsetAxes, collapsed, startMap, sizes, sorted)
	}
	shape := x.Clone()
	shape.Dimensions = append(dims, x.Dimensions[1:]...)
	node, _ := f.GetOrCreateNode(compute.OpTypeGather, shape, inputs, &lookupData{})
	return node, nil
}

// rowNumbers sets to to the indices [first, first+len(to)), held within rows.
func rowNumbers(to []int32, index *gobackend.Buffer, first, rows int) {
	switch v := index.Flat.(type) {
	case []int32:
		for i, at := range v[first : first+len(to)] {
			to[i] = min(max(at, 0), int32(rows-1))
		}
	case []int64:
		for i, at := range v[first : first+len(to)] {
			to[i] = int32(min(max(at, 0), int64(rows-1)))
		}
	}
}

// execGather copies rows.
func execGather(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, _ []bool) (*gobackend.Buffer, error) {
	if _, ok := node.Data.(*lookupData); !ok {
		return nil, nil
	}
	rows := inputs[0].RawShape.Dimensions[0]
	src, err := inputs[0].MutableBytes()
	if err != nil {
		return nil, err
	}
	output, err := b.GetBuffer(node.Shape)
	if err != nil || node.Shape.Size() == 0 {
		return output, err
	}
	dst, err := output.MutableBytes()
	if err != nil {
		return nil, err
	}
	row := len(src) / rows
	inParallel(b, len(dst)/row, len(dst), func(first, end int) {
		var at [256]int32
		for first < end {
			some := at[:min(len(at), end-first)]
			rowNumbers(some, inputs[1], first, rows)
			for _, r := range some {
				copy(dst[first*row:(first+1)*row], src[int(r)*row:])
				first++
			}
		}
	})
	return output, nil
}

// weightedRowsData marks products of weights [M, 1, K] with gathered rows [M, K,
// C] that are summed up without gathering; the inputs are table, indices, weights.
type weightedRowsData struct{}

// EqualNodeData implements gobackend.NodeDataComparable.
func (*weightedRowsData) EqualNodeData(other gobackend.NodeDataComparable) bool {
	_, ok := other.(*weightedRowsData)
	return ok
}

// buildProduct leaves all but products with gathered rows to GoMLX.
func buildProduct(f *gobackend.Function, lhs compute.Value, lhsContracting, lhsBatch []int, rhs compute.Value, rhsContracting, rhsBatch []int, config compute.DotGeneralConfig) (compute.Value, error) {
	inputs, err := f.VerifyAndCastValues("DotGeneral", lhs, rhs)
	if err != nil {
		return nil, err
	}
	weights, rows := inputs[0].Shape, inputs[1]
	_, looked := rows.Data.(*lookupData)
	if !looked || rows.Shape.Rank() != 3 || rows.Inputs[0].Shape.Rank() != 2 || weights.Rank() != 3 || weights.Dimensions[1] != 1 || rows.Shape.Size() == 0 ||
		weights.DType != dtypes.Float32 || rows.Shape.DType != dtypes.Float32 || config != (compute.DotGeneralConfig{}) ||
		!slices.Equal(lhsBatch, []int{0}) || !slices.Equal(rhsBatch, []int{0}) || !slices.Equal(lhsContracting, []int{2}) || !slices.Equal(rhsContracting, []int{1}) ||
		!slices.Equal([]int{weights.Dimensions[0], weights.Dimensions[2]}, rows.Shape.Dimensions[:2]) {
		return dot.DotGeneral(f, lhs, lhsContracting, lhsBatch, rhs, rhsContracting, rhsBatch, config)
	}
	shape := weights.Clone()
	shape.Dimensions[2] = rows.Shape.Dimensions[2]
	node, _ := f.GetOrCreateNode(compute.OpTypeDotGeneral, shape, []*gobackend.Node{rows.Inputs[0], rows.Inputs[1], inputs[0]}, &weightedRowsData{})
	return node, nil
}

// weightedRows is f of each of M sets of rows and weights.
func weightedRows(f func(dst, table []float32, rows []int32, weights []float32)) executor {
	return func(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, _ []bool) (*gobackend.Buffer, error) {
		if _, ok := node.Data.(*weightedRowsData); !ok {
			return nil, nil
		}
		table, weights := inputs[0].Flat.([]float32), inputs[2].Flat.([]float32)
		output, err := b.GetBuffer(node.Shape)
		if err != nil {
			return nil, err
		}
		dst := output.Flat.([]float32)
		size, k := node.Shape.Dimensions[2], inputs[2].RawShape.Dimensions[2]
		inParallel(b, node.Shape.Dimensions[0], 4*len(dst), func(first, end int) {
			rows := make([]int32, k)
			for i := first; i < end; i++ {
				rowNumbers(rows, inputs[1], i*k, inputs[0].RawShape.Dimensions[0])
				f(dst[i*size:(i+1)*size], table, rows, weights[i*k:(i+1)*k])
			}
		})
		return output, nil
	}
}
