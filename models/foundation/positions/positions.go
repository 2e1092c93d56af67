// Package positions reads the position embedding of a vision transformer in an
// ONNX file, and resizes it for images of other sizes than it was made for.
package positions

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/onnximport"
	"wsss/models/onnximport/vit"
)

// Embedding is a position embedding: that of the class token, and that of a
// side×side grid of patches.
type Embedding struct {
	side, width int
	values      []float32 // [1+side·side, width]
}

// Tokens is how many it is for, the class token included.
func (p *Embedding) Tokens() int { return 1 + p.side*p.side }

// defaultSize is CLIP's, where a file leaves the image's size open.
const defaultSize = 224

// Read computes the position embedding of a file for the size of
// image that it was made for.
func Read(b compute.Backend, path string, t *vit.Tower) (*Embedding, error) {
	m, err := onnximport.Open(path, onnximport.Options{Outputs: []string{t.Positions}})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	r, err := onnximport.NewRunner(b, m, onnximport.RunnerOptions{NoORT: true})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	in := map[string]*tensors.Tensor{}
	for _, p := range m.Inputs() {
		if p.Name == t.Input { // some exports choose positions by the number of patches
			side := defaultSize
			if len(p.Dims) == 4 && p.Dims[2] > 0 {
				side = p.Dims[2]
			}
			in[p.Name] = tensors.FromFlatDataAndDimensions(make([]float32, 3*side*side), 1, 3, side, side)
		}
	}
	out, err := r.Run(in)
	if err != nil {
		return nil, fmt.Errorf("the position embedding: %w", err)
	}
	values := out[t.Positions]
	dims := values.Shape().Dimensions
	if len(dims) < 2 || values.DType() != dtypes.Float32 || values.Size() != dims[len(dims)-2]*dims[len(dims)-1] {
		return nil, fmt.Errorf("%s: the position embedding is %s: floats [tokens, width] are wanted", path, values.Shape())
	}
	tokens := dims[len(dims)-2]
	p := &Embedding{side: int(math.Sqrt(float64(tokens))), width: dims[len(dims)-1]}
	if p.Tokens() != tokens {
		return nil, fmt.Errorf("%s: the position embedding is for %d tokens: a class token and a square of patches are wanted", path, tokens)
	}
	p.values, err = tensors.CopyFlatData[float32](values)
	return p, err
}

// Resized is the embedding for w×h patches, [1, 1+h·w, width]: interpolated
// bilinearly between the patches' centres, that of the class token as it is
// (docs/sources.md §6.1).
func (p *Embedding) Resized(w, h int) *tensors.Tensor {
	out := make([]float32, (1+w*h)*p.width)
	copy(out, p.values[:p.width])
	row := func(x, y int) []float32 { return p.values[(1+y*p.side+x)*p.width:][:p.width] }
	for y := range h {
		y0, y1, fy := p.between(y, h)
		for x := range w {
			x0, x1, fx := p.between(x, w)
			dst := out[(1+y*w+x)*p.width:][:p.width]
			a, b, c, d := row(x0, y0), row(x1, y0), row(x0, y1), row(x1, y1)
			for i := range dst {
				top, bottom := a[i]+fx*(b[i]-a[i]), c[i]+fx*(d[i]-c[i])
				dst[i] = top + fy*(bottom-top)
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(out, 1, 1+w*h, p.width)
}

// between are the two of the grid's rows that the i-th of n lies between, and
// how far it is from the first to the second.
func (p *Embedding) between(i, n int) (a, b int, f float32) {
	at := min(max((float64(i)+0.5)*float64(p.side)/float64(n)-0.5, 0), float64(p.side-1))
	a = int(at)
	return a, min(a+1, p.side-1), float32(at - float64(a))
}
