package owl

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/foundation"
	"wsss/models/foundation/load"
	"wsss/models/onnximport/onnxfile"
	"wsss/models/onnximport/vit"
)

// Names of an export for zero-shot detection, by optimum (docs/sources.md §4). Nothing
// is asked by words here: the texts' inputs stay out of the graph that runs.
const (
	inPixels  = "pixel_values"
	inTexts   = "input_ids"
	inMask    = "attention_mask"
	outLogits = "logits"
	outBoxes  = "pred_boxes"
)

// exported runs an ONNX file up to the values that the logits are made of.
type exported struct {
	session *load.Session
	parts   parts
	pixels  int // a side of the square
	patches int // along it
}

func (t *exported) side() int { return t.pixels }
func (t *exported) grid() int { return t.patches }

func openONNX(b compute.Backend, path string) (tower, error) {
	file, err := onnxfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	t := &exported{}
	if t.parts, err = partsOf(file.Proto.Graph); err != nil {
		return nil, fmt.Errorf("not OWLv2 as optimum exports it for zero-shot-object-detection (inputs %s, %s; outputs %s, %s): %w", inPixels, inTexts, outLogits, outBoxes, err)
	}
	if t.session, err = load.Open(b, path, load.Options{MaxShapes: 1}); err != nil {
		return nil, err
	}
	if err := t.size(file.Proto.Graph); err != nil {
		return nil, errors.Join(err, t.session.Close())
	}
	return t, nil
}

// size finds the square that the network sees: the file says so, or the places of the
// patches do, of which there is one for each.
func (t *exported) size(g *protos.GraphProto) error {
	in, _ := foundation.Find(t.session.Inputs(), inPixels)
	if len(in.Dims) != 4 || in.DType != dtypes.Float32 || in.Dims[1] != 3 && in.Dims[1] >= 0 {
		return fmt.Errorf("input %s is %s %v: wanted is float32 [batch, 3, height, width]", inPixels, in.DType, in.Dims)
	}
	patch := vit.PatchOf(g)
	if patch == 0 {
		return errors.New("its first convolution cuts no patches")
	}
	if h, w := in.Dims[2], in.Dims[3]; h > 0 && w > 0 {
		if h != w || h%patch != 0 {
			return fmt.Errorf("input %s is %d×%d pixels: wanted is a square of whole patches of %d", inPixels, w, h, patch)
		}
		t.pixels, t.patches = h, h/patch
		return nil
	}
	t.patches = int(math.Sqrt(float64(t.parts.places)))
	if t.parts.places == 0 || t.patches*t.patches != t.parts.places {
		return fmt.Errorf("the size of its photos is open, and the places of its boxes (%d) are no square of patches that would tell: export it with one size, such as 960", t.parts.places)
	}
	t.pixels = t.patches * patch
	return nil
}

// see runs the network.
func (t *exported) see(ctx context.Context, pixels []float32) (s seen, err error) {
	given := map[string]*tensors.Tensor{inPixels: tensors.FromFlatDataAndDimensions(foundation.Planar(pixels, 1, t.pixels*t.pixels), 1, 3, t.pixels, t.pixels)}
	defer foundation.Free(given)
	want := []string{t.parts.vectors, t.parts.shift, t.parts.scale, outBoxes}
	out, err := t.session.Run(ctx, given, want...)
	if err != nil {
		return s, err
	}
	for i, to := range []*[]float32{&s.vectors, &s.shifts, &s.scales, &s.boxes} {
		if *to, _, err = foundation.Floats(out, want[i], 3); err != nil {
			return s, err
		}
	}
	return s, nil
}

// parts are the values of a graph that its logits are made of: (similarity of the
// vectors' directions with the queries + shift) · scale. Exporters and optimisers give
// them names of their own, so they are told by what they depend on.
type parts struct {
	vectors string // [batch, patches, dim], before they are scaled to length 1
	shift   string // [batch, patches, 1]
	scale   string // [batch, patches, 1], above 0
	places  int    // patches that the boxes' first places are for; 0 where the graph computes these
}

// graph is what makes its values, and what these depend on.
type graph struct {
	made  map[string]*protos.NodeProto
	image map[string]bool // values that depend on the photo's pixels
	texts map[string]bool // … on the texts
	sizes map[string][]int64
}

func partsOf(g *protos.GraphProto) (p parts, err error) {
	w := follow(g)
	for _, name := range []string{outLogits, outBoxes} {
		if w.made[name] == nil {
			return p, fmt.Errorf("there is no output %s", name)
		}
		if !w.image[name] {
			return p, fmt.Errorf("output %s does not depend on %s", name, inPixels)
		}
	}
	product := w.back(outLogits, "Cast", "Identity", "Where")
	n := w.made[product]
	sum := ""
	if n != nil && n.OpType == "Mul" {
		sum, p.scale = w.split(n)
	}
	similar := ""
	if n = w.made[w.back(sum, "Cast", "Identity")]; n != nil && n.OpType == "Add" {
		similar, p.shift = w.split(n)
	}
	if similar == "" || p.shift == "" || p.scale == "" {
		return p, fmt.Errorf("output %s is not (similarity + shift) · scale", outLogits)
	}
	if n = w.made[w.back(w.photoOnly(similar), "Transpose", "Reshape", "Unsqueeze", "Squeeze", "Identity", "Cast", "Expand")]; n == nil || n.OpType != "Div" {
		return p, fmt.Errorf("output %s is made of no vectors of length 1", outLogits)
	}
	p.vectors = n.Input[0]
	if n = w.made[w.back(outBoxes, "Cast", "Identity")]; n != nil && n.OpType == "Sigmoid" {
		if n = w.made[w.back(n.Input[0], "Cast", "Identity")]; n != nil && n.OpType == "Add" {
			for _, in := range n.Input {
				if d := w.sizes[in]; !w.image[in] && len(d) >= 2 && d[len(d)-1] == 4 {
					p.places = int(d[len(d)-2])
				}
			}
		}
	}
	return p, nil
}

func follow(g *protos.GraphProto) *graph {
	w := &graph{made: onnxfile.Makers(g), image: map[string]bool{inPixels: true}, texts: map[string]bool{inTexts: true, inMask: true}, sizes: map[string][]int64{}}
	for _, t := range g.Initializer {
		w.sizes[t.Name] = t.Dims
	}
	for _, n := range g.Node { // each after those that it depends on
		image, texts := false, false
		if n.OpType != "Shape" { // that a value's shape is used is no dependence
			for _, in := range n.Input {
				image, texts = image || w.image[in], texts || w.texts[in]
			}
		}
		for _, out := range n.Output {
			w.image[out], w.texts[out] = image, texts
		}
		if n.OpType == "Constant" {
			for _, a := range n.Attribute {
				if a.T != nil {
					w.sizes[n.Output[0]] = a.T.Dims
				}
			}
		}
	}
	return w
}

// back goes from a value towards the photo, through ops of these types.
func (w *graph) back(value string, through ...string) string {
	for n := w.made[value]; n != nil; n = w.made[value] {
		next := ""
		for _, op := range through {
			if n.OpType != op {
				continue
			}
			for _, in := range n.Input {
				if w.image[in] {
					next = in
				}
			}
		}
		if next == "" {
			return value
		}
		value = next
	}
	return value
}

// split tells the two values of an op apart: one depends on the texts, the other on the
// photo alone. Both are empty where that is not so.
func (w *graph) split(n *protos.NodeProto) (both, photo string) {
	for _, in := range n.Input {
		switch {
		case w.texts[in]:
			both = in
		case w.image[in]:
			photo = in
		}
	}
	if both == "" || photo == "" {
		return "", ""
	}
	return both, photo
}

// photoOnly goes back from a value to what meets the texts in it and depends on the photo
// alone.
func (w *graph) photoOnly(value string) string {
	for w.texts[value] {
		n, next := w.made[value], ""
		if n == nil {
			return ""
		}
		for _, in := range n.Input {
			if w.image[in] && (next == "" || !w.texts[in]) {
				next = in
			}
		}
		value = next
	}
	return value
}
