package gohook

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/internal/gobackend"
)

func init() { replace(compute.OpTypeConcatenate, concatenate) }

// concatenate copies the inputs' rows on all cores.
func concatenate(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, _ []bool) (*gobackend.Buffer, error) {
	axis, ok := node.Data.(int)
	if !ok || node.Shape.IsDynamic() || node.Shape.Size() == 0 || node.Shape.DType.IsPacked() {
		return nil, nil
	}
	rows := make([][]byte, len(inputs))
	for i, in := range inputs {
		var err error
		if rows[i], err = in.MutableBytes(); err != nil {
			return nil, err
		}
	}
	output, err := b.GetBuffer(node.Shape)
	if err != nil {
		return nil, err
	}
	dst, err := output.MutableBytes()
	if err != nil {
		return nil, err
	}
	outer := product(node.Shape.Dimensions[:axis])
	if outer > 1 {
		inParallel(b, outer, len(dst), func(first, end int) {
			to := dst[first*(len(dst)/outer):]
			for o := first; o < end; o++ {
				for _, in := range rows {
					n := len(in) / outer
					copy(to, in[o*n:(o+1)*n])
					to = to[n:]
				}
			}
		})
		return output, nil
	}
	for _, in := range rows {
		to := dst[:len(in)]
		dst = dst[len(in):]
		const piece = 1 << 16
		inParallel(b, (len(in)+piece-1)/piece, len(in), func(first, end int) {
			copy(to[first*piece:], in[first*piece:min(end*piece, len(in))])
		})
	}
	return output, nil
}
