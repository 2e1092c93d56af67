package onnxseg

import (
	"errors"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/configs"
	"wsss/data"
)

// labels turns the network's output into a label map of the photo's size; the
// output covers span photo pixels, which may reach beyond the photo.
func (p *Predictor) labels(t *tensors.Tensor, size, span image.Point) (*data.LabelMap, error) {
	dims := p.one(t)
	if p.cfg.OutputLayout == "labels" {
		return p.fromLabels(t, dims, size, span)
	}
	return p.fromLogits(t, dims, size, span)
}

// one is the shape of an output as a batch of one has it: the values of the first
// photo stand first.
func (p *Predictor) one(t *tensors.Tensor) []int {
	dims := slices.Clone(t.Shape().Dimensions)
	if len(dims) > 0 && dims[0] == p.batch {
		dims[0] = 1
	}
	return dims
}

// fromLabels reads [1, h, w], [1, 1, h, w], [1, h, w, 1] or [h, w] numbers.
func (p *Predictor) fromLabels(t *tensors.Tensor, dims []int, size, span image.Point) (*data.LabelMap, error) {
	d := dims
	for len(d) > 2 && d[0] == 1 {
		d = d[1:]
	}
	if len(d) == 3 && d[2] == 1 {
		d = d[:2]
	}
	if len(d) != 2 || d[0] < 1 || d[1] < 1 {
		return nil, errors.New("labels must have the axes [1, height, width], with or without a channel of 1")
	}
	values, err := integers(t)
	if err != nil {
		return nil, err
	}
	m := data.NewLabelMap(size.X, size.Y)
	for y := range size.Y {
		sy := min((2*y+1)*d[0]/(2*span.Y), d[0]-1)
		for x := range size.X {
			sx := min((2*x+1)*d[1]/(2*span.X), d[1]-1)
			c, err := p.class(values[sy*d[1]+sx])
			if err != nil {
				return nil, err
			}
			m.Pix[y*size.X+x] = c
		}
	}
	return m, nil
}

func integers(t *tensors.Tensor) (out []int, err error) {
	access := t.ConstFlatData(func(flat any) {
		switch v := flat.(type) {
		case []int64:
			out = ints(v)
		case []int32:
			out = ints(v)
		case []uint8:
			out = ints(v)
		case []int8:
			out = ints(v)
		case []float32:
			out, err = whole(v)
		case []float64:
			out, err = whole(v)
		default:
			err = fmt.Errorf("labels of type %T: want integers, float32 or float64", flat)
		}
	})
	return out, errors.Join(access, err)
}

// whole are labels that are given as fractions without any.
func whole[T float32 | float64](v []T) ([]int, error) {
	out := make([]int, len(v))
	for i, x := range v {
		if out[i] = int(x); T(out[i]) != x {
			return nil, fmt.Errorf("labels have the value %g: want whole numbers, not logits", x)
		}
	}
	return out, nil
}

// floats are the elements of a tensor of float32, or of float64 rounded.
func floats(flat any) (v []float32, ok bool) {
	switch v := flat.(type) {
	case []float32:
		return v, true
	case []float64:
		return convert[float32](v), true
	}
	return nil, false
}

// copied are the elements of a tensor that floats takes, apart from it.
func copied(t *tensors.Tensor) (v []float32, err error) {
	access := t.ConstFlatData(func(flat any) {
		of, ok := floats(flat)
		if v = slices.Clone(of); !ok {
			err = fmt.Errorf("elements of type %T: want float32 or float64", flat)
		}
	})
	return v, errors.Join(access, err)
}

func convert[T, F float32 | float64](v []F) []T {
	out := make([]T, len(v))
	for i, x := range v {
		out[i] = T(x)
	}
	return out
}

func ints[T int64 | int32 | uint8 | int8](v []T) []int {
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

// class maps a class number of the network to the dataset's.
func (p *Predictor) class(c int) (uint8, error) {
	if len(p.cfg.Classes) > 0 {
		if c < 0 || c >= len(p.cfg.Classes) {
			return 0, fmt.Errorf("class %d: eval.onnx.classes names only %d", c, len(p.cfg.Classes))
		}
		c = p.cfg.Classes[c]
	}
	if (c < 0 || c >= p.classes) && c != data.Ignore {
		return 0, fmt.Errorf("class %d: the dataset has 0..%d; set eval.onnx.classes to map the network's classes", c, p.classes-1)
	}
	return uint8(c), nil
}

// fromLogits reads [1, C, h, w] or [1, h, w, C] logits. One channel is a
// foreground network: above 0 is class 1, of probabilities above a half.
func (p *Predictor) fromLogits(t *tensors.Tensor, dims []int, size, span image.Point) (*data.LabelMap, error) {
	if len(dims) != 4 || dims[0] != 1 {
		if len(dims) == 3 {
			return nil, fmt.Errorf("logits must have 4 axes of layout %s and a batch of 1; class logits of queries have 3: set eval.onnx.output_layout = %q", p.cfg.OutputLayout, configs.Queries)
		}
		return nil, fmt.Errorf("logits must have 4 axes of layout %s and a batch of 1", p.cfg.OutputLayout)
	}
	g := grid{c: dims[1], h: dims[2], w: dims[3]}
	g.stepC, g.stepX = g.h*g.w, 1
	if p.cfg.OutputLayout == "nhwc" {
		g = grid{h: dims[1], w: dims[2], c: dims[3], stepC: 1, stepX: dims[3]}
	}
	if g.c < 1 || g.h < 1 || g.w < 1 || g.c > 256 {
		return nil, errors.New("logits must have 1 to 256 classes and at least one pixel")
	}
	lut := make([]uint8, max(g.c, 2))
	for c := range lut {
		var err error
		if lut[c], err = p.class(c); err != nil {
			return nil, err
		}
	}
	m := data.NewLabelMap(size.X, size.Y)
	var bad any
	err := t.ConstFlatData(func(flat any) {
		v, ok := floats(flat)
		if !ok {
			bad = flat
			return
		}
		g.values = v
		g.argMax(m, span, p.above)
	})
	if err == nil && bad != nil {
		err = fmt.Errorf("logits of type %T: want float32 or float64", bad)
	}
	if err != nil {
		return nil, err
	}
	for i, c := range m.Pix {
		m.Pix[i] = lut[c]
	}
	return m, nil
}

// grid is a map of logits in memory.
type grid struct {
	values  []float32
	c, h, w int
	stepC   int // between channels
	stepX   int // between neighbours of a row
}

// tap is a position between two samples.
type tap struct {
	a, b int
	f    float32 // weight of b
}

// taps are the samples of n output pixels, as bilinear resampling from `from`
// to `span` pixels takes them.
func taps(n, from, span int) []tap {
	out := make([]tap, n)
	for i := range out {
		at := max((float64(i)+0.5)*float64(from)/float64(span)-0.5, 0)
		k := min(int(at), from-1)
		out[i] = tap{k, min(k+1, from-1), float32(at - float64(k))}
	}
	return out
}

// argMax is best, where one channel is a foreground network: above a value is
// class 1.
func (g grid) argMax(m *data.LabelMap, span image.Point, above float32) {
	if g.c == 1 {
		g.scan(m, span, 1, above)
	} else {
		g.best(m, span)
	}
}

// best resamples row by row and keeps the best class; ties go to the lower.
func (g grid) best(m *data.LabelMap, span image.Point) { g.scan(m, span, 0, float32(math.Inf(-1))) }

// scan is best of values above one, the channels of classes from first on.
func (g grid) scan(m *data.LabelMap, span image.Point, first uint8, above float32) {
	xs, ys := taps(m.W, g.w, span.X), taps(m.H, g.h, span.Y)
	row := make([]float32, g.w)
	best := make([]float32, m.W)
	rowStep := g.w * g.stepX
	for y, ty := range ys {
		line := m.Pix[y*m.W : (y+1)*m.W]
		for i := range best {
			best[i] = above
		}
		for c := range g.c {
			top, low := g.values[c*g.stepC+ty.a*rowStep:], g.values[c*g.stepC+ty.b*rowStep:]
			for x := range row {
				t := top[x*g.stepX]
				row[x] = t + (low[x*g.stepX]-t)*ty.f
			}
			class := first + uint8(c)
			for x, tx := range xs {
				a := row[tx.a]
				if v := a + (row[tx.b]-a)*tx.f; v > best[x] {
					best[x], line[x] = v, class
				}
			}
		}
	}
}
