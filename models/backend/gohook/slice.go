package gohook

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/internal/gobackend"
	"github.com/gomlx/compute/shapeinference"
	"github.com/gomlx/compute/shapes"
	"github.com/pkg/errors"
)

func init() {
	gobackend.RegisterSlice.Register(slice, gobackend.PriorityArch)
	gobackend.SetNodeExecutor(compute.OpTypeSlice, gobackend.PriorityArch, execSlice)
}

// sliceData are the parameters of a slice, one value per axis.
type sliceData struct{ starts, limits, strides []int }

// EqualNodeData implements gobackend.NodeDataComparable.
func (s *sliceData) EqualNodeData(other gobackend.NodeDataComparable) bool {
	o := other.(*sliceData)
	return slices.Equal(s.starts, o.starts) && slices.Equal(s.limits, o.limits) && slices.Equal(s.strides, o.strides)
}

// Recompute implements gobackend.RecomputableNodeData: limits of axes whose
// size was unknown become that size.
func (s *sliceData) Recompute(_ *gobackend.Backend, resolved []*gobackend.Node, node *gobackend.Node) (any, error) {
	dims := resolved[node.Inputs[0].Index].Shape.Dimensions
	now := &sliceData{s.starts, slices.Clone(s.limits), s.strides}
	for i, limit := range s.limits {
		if limit == shapes.DynamicDim {
			now.limits[i] = dims[i]
		}
	}
	return now, nil
}

// slice builds the node: limits beyond the axis are cut, negative ones count
// from its end.
func slice(f *gobackend.Function, x compute.Value, starts, limits, strides []int) (compute.Value, error) {
	inputs, err := f.VerifyAndCastValues("Slice", x)
	if err != nil {
		return nil, err
	}
	shape := inputs[0].Shape
	rank := shape.Rank()
	if len(starts) != rank || len(limits) != rank || len(strides) != 0 && len(strides) != rank {
		return nil, errors.Errorf("Slice: %d starts, %d limits and %d strides for an operand of rank %d", len(starts), len(limits), len(strides), rank)
	}
	data := &sliceData{slices.Clone(starts), slices.Clone(limits), slices.Repeat([]int{1}, rank)}
	for i, size := range shape.Dimensions {
		if size != shapes.DynamicDim {
			for _, v := range []*int{&data.starts[i], &data.limits[i]} {
				if *v < 0 {
					*v += size
				}
				*v = min(max(*v, 0), size)
			}
		}
		if len(strides) > 0 {
			data.strides[i] = max(strides[i], 1)
		}
	}
	out, err := shapeinference.Slice(shape, data.starts, data.limits, data.strides)
	if err != nil {
		return nil, err
	}
	node, _ := f.GetOrCreateNode(compute.OpTypeSlice, out, inputs, data)
	return node, nil
}

// execSlice copies runs that lie together in operand and result.
func execSlice(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, _ []bool) (*gobackend.Buffer, error) {
	p, ok := node.Data.(*sliceData)
	if !ok {
		return nil, errors.Errorf("Slice: parameters of type %T", node.Data)
	}
	output, err := b.GetBuffer(node.Shape)
	if err != nil || output.RawShape.Size() == 0 {
		return output, err
	}
	src, err := inputs[0].MutableBytes()
	if err != nil {
		return nil, err
	}
	dst, err := output.MutableBytes()
	if err != nil {
		return nil, err
	}
	// The run: the last axes that are taken whole, and a stretch of the one
	// before.
	from, to := inputs[0].RawShape.Dimensions, output.RawShape.Dimensions
	run, axis := node.Shape.DType.Size(), len(to)
	for axis > 0 && p.strides[axis-1] == 1 {
		axis--
		run *= to[axis]
		if to[axis] != from[axis] {
			break
		}
	}
	steps := make([]int, len(from)) // bytes between neighbours along an axis
	start := 0
	for i, size := len(from)-1, node.Shape.DType.Size(); i >= 0; i-- {
		steps[i] = size * p.strides[i]
		start += size * p.starts[i]
		size *= from[i]
	}
	inParallel(b, len(dst)/run, len(dst), func(first, end int) {
		at := make([]int, axis)
		pos := start
		for i, rest := axis-1, first; i >= 0; i-- {
			at[i] = rest % to[i]
			rest /= to[i]
			pos += at[i] * steps[i]
		}
		for n := first; n < end; n++ {
			copy(dst[n*run:(n+1)*run], src[pos:])
			for i := axis - 1; i >= 0; i-- {
				at[i]++
				pos += steps[i]
				if at[i] < to[i] {
					break
				}
				pos -= at[i] * steps[i]
				at[i] = 0
			}
		}
	})
	return output, nil
}
