package gohook

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/internal/gobackend"
	"github.com/gomlx/compute/internal/gobackend/fusedops"
)

// rowsData marks nodes whose operation is one of each row, the last size values.
type rowsData struct {
	size    int
	epsilon float64
}

// EqualNodeData implements gobackend.NodeDataComparable.
func (d *rowsData) EqualNodeData(other gobackend.NodeDataComparable) bool {
	o, ok := other.(*rowsData)
	return ok && *d == *o
}

// buildSoftmax leaves other axes than the last to GoMLX.
func buildSoftmax(f *gobackend.Function, x compute.Value, axis int) (compute.Value, error) {
	inputs, err := f.VerifyAndCastValues("FusedSoftmax", x)
	if err != nil {
		return nil, err
	}
	shape := inputs[0].Shape
	if shape.DType != dtypes.Float32 || shape.IsDynamic() || axis < 0 || axis != shape.Rank()-1 || shape.Size() == 0 {
		return fusedops.FusedSoftmax(f, x, axis)
	}
	node, _ := f.GetOrCreateNode(compute.OpTypeFusedSoftmax, shape.Clone(), inputs, &rowsData{size: shape.Dimensions[axis]})
	return node, nil
}

func softmax(f func(dst, x []float32)) executor {
	return func(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, owned []bool) (*gobackend.Buffer, error) {
		d, ok := node.Data.(*rowsData)
		if !ok {
			return nil, nil
		}
		x := inputs[0].Flat.([]float32)
		output, dst, err := result(b, node, inputs, owned)
		if err != nil {
			return nil, err
		}
		inParallel(b, len(x)/d.size, 4*len(x), func(first, end int) {
			for at := first * d.size; at < end*d.size; at += d.size {
				f(dst[at:at+d.size], x[at:at+d.size])
			}
		})
		return output, nil
	}
}

// buildGelu leaves the approximation with tanh to GoMLX.
func buildGelu(f *gobackend.Function, x compute.Value, exact bool) (compute.Value, error) {
	inputs, err := f.VerifyAndCastValues("FusedGelu", x)
	if err != nil {
		return nil, err
	}
	if shape := inputs[0].Shape; !exact || shape.DType != dtypes.Float32 || shape.IsDynamic() || shape.Size() == 0 {
		return fusedops.FusedGelu(f, x, exact)
	}
	node, _ := f.GetOrCreateNode(compute.OpTypeFusedGelu, inputs[0].Shape.Clone(), inputs, &rowsData{size: 1})
	return node, nil
}

func gelu(f func(dst, x []float32)) executor {
	exact := function(f)
	return func(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, owned []bool) (*gobackend.Buffer, error) {
		if _, ok := node.Data.(*rowsData); !ok {
			return nil, nil
		}
		return exact(b, node, inputs, owned)
	}
}

// buildLayerNorm leaves other axes than the last ones, and layer norms without
// gamma and beta, to GoMLX.
func buildLayerNorm(f *gobackend.Function, x compute.Value, axes []int, epsilon float64, gamma, beta compute.Value) (compute.Value, error) {
	if gamma == nil || beta == nil {
		return fusedops.FusedLayerNorm(f, x, axes, epsilon, gamma, beta)
	}
	inputs, err := f.VerifyAndCastValues("FusedLayerNorm", x, gamma, beta)
	if err != nil {
		return nil, err
	}
	shape := inputs[0].Shape
	size := 1
	last := shape.Rank() - len(axes)
	for i, axis := range axes {
		if axis < 0 {
			axis += shape.Rank()
		}
		if axis != last+i {
			return fusedops.FusedLayerNorm(f, x, axes, epsilon, gamma, beta)
		}
		size *= shape.Dimensions[axis]
	}
	for _, n := range inputs {
		if n.Shape.DType != dtypes.Float32 || n.Shape.IsDynamic() || n.Shape.Size() != size && n != inputs[0] || size == 0 {
			return fusedops.FusedLayerNorm(f, x, axes, epsilon, gamma, beta)
		}
	}
	node, _ := f.GetOrCreateNode(compute.OpTypeFusedLayerNorm, shape.Clone(), inputs, &rowsData{size, epsilon})
	return node, nil
}

func layerNorm(f func(dst, x, gamma, beta []float32, epsilon float64)) executor {
	return func(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, owned []bool) (*gobackend.Buffer, error) {
		d, ok := node.Data.(*rowsData)
		if !ok {
			return nil, nil
		}
		x, gamma, beta := inputs[0].Flat.([]float32), inputs[1].Flat.([]float32), inputs[2].Flat.([]float32)
		output, dst, err := result(b, node, inputs[:1], owned)
		if err != nil {
			return nil, err
		}
		inParallel(b, len(x)/d.size, 4*len(x), func(first, end int) {
			for at := first * d.size; at < end*d.size; at += d.size {
				f(dst[at:at+d.size], x[at:at+d.size], gamma, beta, d.epsilon)
			}
		})
		return output, nil
	}
}

// reduce reduces one group of neighbouring axes.
func (r Reduction) reduce(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, _ []bool) (*gobackend.Buffer, error) {
	x, ok := floats(inputs[0])
	if !ok || node.Shape.IsDynamic() {
		return nil, nil
	}
	outer, size, inner, ok := reduced(inputs[0].RawShape.Dimensions, node.Data.([]int))
	if !ok || inner > 1 && inner < 8 {
		return nil, nil
	}
	output, err := b.GetBuffer(node.Shape)
	if err != nil {
		return nil, err
	}
	dst := output.Flat.([]float32)
	switch {
	case inner > 1:
		r.columns(b, dst, x, outer, size, inner)
	case outer > 1:
		inParallel(b, outer, 4*len(x), func(first, end int) {
			for i := first; i < end; i++ {
				dst[i] = r.Row(x[i*size : (i+1)*size])
			}
		})
	default:
		parts := make([]float32, (size+block-1)/block)
		inBlocks(b, size, func(from, to int) { parts[from/block] = r.Row(x[from:to]) })
		dst[0] = r.Row(parts)
	}
	return output, nil
}

// columns reduces x [outer, size, inner] to dst [outer, inner]. The rows are
// cut where there would be too few tasks, always at the same places.
func (r Reduction) columns(b *gobackend.Backend, dst, x []float32, outer, size, inner int) {
	const width = 1024 // columns of a task
	across := (inner + width - 1) / width
	height := size
	if outer*across < 16 {
		height = max(64, (size+15)/16)
	}
	down := (size + height - 1) / height
	sums := dst
	if down > 1 {
		sums = make([]float32, outer*down*inner)
	}
	inParallel(b, outer*down*across, 4*len(x), func(first, end int) {
		for i := first; i < end; i++ {
			o, d, c := i/across/down, i/across%down, i%across*width
			to := sums[(o*down+d)*inner:][:inner][c:min(c+width, inner)]
			r.join(to, x[(o*size+d*height)*inner+c:], min(height, size-d*height), inner)
		}
	})
	if down > 1 {
		for o := range outer {
			r.join(dst[o*inner:][:inner], sums[o*down*inner:], down, inner)
		}
	}
}

// join reduces rows of which step values lie between the starts.
func (r Reduction) join(dst, x []float32, rows, step int) {
	copy(dst, x)
	for i := 1; i < rows; i++ {
		r.Join(dst, dst, x[i*step:][:len(dst)])
	}
}

// reduced is the shape as [outer, size, inner] of which size is reduced.
func reduced(dims, axes []int) (outer, size, inner int, ok bool) {
	outer, size, inner = 1, 1, 1
	for i, n := range dims {
		switch {
		case n == 1:
		case len(axes) == 0 || slices.Contains(axes, i):
			if inner > 1 {
				return 0, 0, 0, false
			}
			size *= n
		case size > 1:
			inner *= n
		default:
			outer *= n
		}
	}
	return outer, size, inner, true
}
