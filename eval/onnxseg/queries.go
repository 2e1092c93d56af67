package onnxseg

import (
	"fmt"
	"image"
	"math"
	"runtime"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/data/crash"
)

// Networks of queries, such as Mask2Former, give class logits [1, queries,
// classes+1], the last one for no object, and mask logits [1, queries, h, w].

// queries picks both of a network's outputs: those that the config names, or the
// first ones of three and of four axes.
func (p *Predictor) queries(outs map[string]*tensors.Tensor) (classes, masks *tensors.Tensor, err error) {
	if p.cfg.Masks != "" {
		classes, masks = outs[p.cfg.Output], outs[p.cfg.Masks]
	} else {
		for _, name := range p.model.OutputNames() {
			switch t := outs[name]; {
			case t.Rank() == 3 && classes == nil:
				classes = t
			case t.Rank() == 4 && masks == nil:
				masks = t
			}
		}
	}
	if classes == nil || masks == nil {
		var has []string
		for _, name := range p.model.OutputNames() {
			has = append(has, fmt.Sprint(name, " ", outs[name].Shape().Dimensions))
		}
		return nil, nil, fmt.Errorf("no outputs of queries among %s: class logits have 3 axes, mask logits 4; set eval.onnx.output and eval.onnx.masks to their names", strings.Join(has, ", "))
	}
	c, m := p.one(classes), p.one(masks)
	if len(c) != 3 || len(m) != 4 || c[0] != 1 || m[0] != 1 || c[1] != m[1] || c[2] < 2 || c[2] > 256 || m[2] < 1 || m[3] < 1 {
		return nil, nil, fmt.Errorf("outputs of queries have shapes %v and %v: want [1, queries, classes+1] and [1, queries, height, width]", c, m)
	}
	return classes, masks, nil
}

// fromQueries is the class of the highest score at each pixel. A score is the sum
// over queries of the probability of the class times that of the mask, at the
// network's size of input; scores are resampled to the photo as logits are.
func (p *Predictor) fromQueries(outs map[string]*tensors.Tensor, size, input, span image.Point) (*data.LabelMap, error) {
	classes, masks, err := p.queries(outs)
	if err != nil {
		return nil, err
	}
	lut := make([]uint8, classes.Shape().Dim(2)-1)
	for c := range lut {
		if lut[c], err = p.class(c); err != nil {
			return nil, err
		}
	}
	z, err := copied(classes)
	if err != nil {
		return nil, fmt.Errorf("class logits: %w", err)
	}
	logits, err := copied(masks)
	if err != nil {
		return nil, fmt.Errorf("mask logits: %w", err)
	}
	g := grid{values: scores(z, logits, masks.Shape().Dimensions[1:], len(lut), input), c: len(lut), h: input.Y, w: input.X, stepC: input.X * input.Y, stepX: 1}
	m := data.NewLabelMap(size.X, size.Y)
	g.best(m, span)
	for i, c := range m.Pix {
		m.Pix[i] = lut[c]
	}
	return m, nil
}

// scores are those of all classes [classes, height, width] at a size, of class
// logits [queries, classes+1] and mask logits of dims queries, h, w.
func scores(z, masks []float32, dims []int, classes int, size image.Point) []float32 {
	probabilities := make([]float32, 0, dims[0]*classes)
	for q := range dims[0] {
		probabilities = append(probabilities, softmax(z[q*(classes+1):][:classes+1])[:classes]...)
	}
	xs, ys := taps(size.X, dims[2], size.X), taps(size.Y, dims[1], size.Y)
	out := make([]float32, classes*size.X*size.Y)
	line := func(y int) {
		ty := ys[y]
		for q := range dims[0] {
			top, low := masks[(q*dims[1]+ty.a)*dims[2]:][:dims[2]], masks[(q*dims[1]+ty.b)*dims[2]:][:dims[2]]
			for x, tx := range xs {
				a := top[tx.a] + (low[tx.a]-top[tx.a])*ty.f
				b := top[tx.b] + (low[tx.b]-top[tx.b])*ty.f
				on := float32(1 / (1 + math.Exp(-float64(a+(b-a)*tx.f))))
				for c, p := range probabilities[q*classes:][:classes] {
					out[(c*size.Y+y)*size.X+x] += p * on
				}
			}
		}
	}
	var wait crash.Group
	workers := runtime.GOMAXPROCS(0)
	for k := range workers {
		wait.Go(func() {
			for y := k; y < size.Y; y += workers {
				line(y)
			}
		})
	}
	wait.Wait()
	return out
}

func softmax(z []float32) []float32 {
	top, sum := z[0], 0.0
	for _, v := range z {
		top = max(top, v)
	}
	out := make([]float32, len(z))
	for i, v := range z {
		e := math.Exp(float64(v - top))
		out[i], sum = float32(e), sum+e
	}
	for i := range out {
		out[i] /= float32(sum)
	}
	return out
}
