package camnet

import (
	"errors"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/data/vector"
	"wsss/models/layers"
)

// Prototypes are what LPCAM puts in the place of the classifier: features that
// stand for parts of each class, and such that stand for its surroundings
// (docs/sources.md §11.5). Vectors are as the network gives them, not of unit
// length.
type Prototypes struct {
	Parts   [][][]float32 // [class][prototype][channel]
	Context [][][]float32 // the same, of what is around the class; a class may have none
}

// row is the vector whose product with a unit feature is LPCAM's score of a
// class: the mean cosine with its parts less that with its context, as a mean of
// products with one vector is the product with the mean.
func (p *Prototypes) row(class, channels int) []float32 {
	out := make([]float32, channels)
	addUnits(out, p.Parts[class], 1)
	addUnits(out, p.Context[class], -1)
	return out
}

// addUnits adds sign times the mean of the vectors, each of unit length.
func addUnits(to []float32, vectors [][]float32, sign float64) {
	for _, v := range vectors {
		scale := sign / float64(len(vectors)) / max(vector.Length(v), tinyLength)
		for i, x := range v {
			to[i] += float32(scale * float64(x))
		}
	}
}

// tinyLength bounds the lengths that PyTorch's cosine similarity divides by.
const tinyLength = 1e-8

// PrototypeMaps are LPCAM's maps [batch, ⌈height/16⌉, ⌈width/16⌉, classes] of
// images; if mirrored, of half as many, each of which its mirror image follows,
// whose features are added. Classes with a context are cut at 0. canvas is as for
// Maps.
func (n *Network) PrototypeMaps(canvas *layers.Canvas, scope *model.Scope, images *Node, mirrored bool, p *Prototypes) *Node {
	f := n.features(canvas, scope, images, false)
	if mirrored {
		d := f.Shape().Dimensions
		view := func(x *Node, i int) *Node {
			x = Reshape(x, d[0]/2, 2, d[1], d[2], d[3])
			return Reshape(Slice(x, AxisRange(), AxisElem(i)), d[0]/2, d[1], d[2], d[3])
		}
		f = Add(view(f, 0), view(canvas.Mirror(f), 1))
	}
	channels := f.Shape().Dim(3)
	length := Sqrt(ReduceAndKeep(Mul(f, f), ReduceSum, 3))
	f = Div(f, Max(length, Const(f.Graph(), float32(tinyLength))))
	rows := make([][]float32, n.cfg.Classes)
	floor := make([]float32, n.cfg.Classes)
	for c := range rows {
		rows[c] = p.row(c, channels)
		if len(p.Context[c]) == 0 {
			floor[c] = -1
		}
	}
	maps := Einsum("bhwk,ck->bhwc", f, Const(f.Graph(), rows))
	return Max(maps, BroadcastToShape(Reshape(Const(f.Graph(), floor), 1, 1, 1, n.cfg.Classes), maps.Shape()))
}

// ClassifierWeight is the weight of a network's classifier, [class][channel].
func ClassifierWeight(scope *model.Scope) ([][]float32, error) {
	v := scope.At(classifierScope).GetVariable("weight")
	if v == nil {
		return nil, errors.New("the network has no classifier")
	}
	t, err := v.Value()
	if err != nil {
		return nil, err
	}
	flat, err := tensors.CopyFlatData[float32](t)
	if err != nil {
		return nil, err
	}
	d := t.Shape().Dimensions // [1, 1, channel, class]
	channels, classes := d[len(d)-2], d[len(d)-1]
	out := make([][]float32, classes)
	for c := range out {
		out[c] = make([]float32, channels)
		for k := range out[c] {
			out[c][k] = flat[k*classes+c]
		}
	}
	return out, nil
}
