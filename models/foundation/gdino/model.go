package gdino

import (
	"context"
	"fmt"
	"image"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/imageproc"
	"wsss/data/stages"
	"wsss/models/foundation"
	"wsss/models/foundation/tokenize"
)

// Model is a detector. It is safe for concurrent use.
type Model struct {
	s      foundation.Session
	t      *tokenize.BERT
	opts   Options
	image  foundation.Port
	boxes  string // output
	limit  int    // tokens of a caption
	fixed  bool   // captions are padded to limit
	fixedW int    // image size that the export is bound to, 0 for any
	fixedH int
	shares bool // see ShareShapes
}

// Sides and captions are multiples of these where they share graphs.
const (
	sideStep  = 32
	tokenStep = 8
)

// ShareShapes makes images and captions share graphs, for an engine that
// compiles long for each shape. Captions are padded to multiples of 8 tokens,
// which no layer looks at. Sides go to multiples of 32 pixels: with padding
// behind the image where the export takes a mask of it, else the image is
// stretched to the nearest one, by 2 % at most at 800 pixels. Boxes are not the
// same then as at the image's own size (docs/parity.md).
func (m *Model) ShareShapes() { m.shares = true }

// With is the model with other options, which passed Check. It shares the
// session.
func (m *Model) With(o Options) *Model {
	other := *m
	other.opts = o
	return &other
}

// frame is an image as the network gets it, in the corner of what is padding
// else.
type frame struct {
	pixels []float32   // [3, height, width]
	size   image.Point // of these
	filled image.Point // by the image
}

func (m *Model) frame(img *imageproc.RGB) frame {
	f := frame{filled: m.Shape(image.Pt(img.W, img.H))}
	if f.size = f.filled; m.shares && m.masks() {
		f.filled.X, f.filled.Y = m.opts.size(img.W, img.H)
	}
	f.pixels = make([]float32, 3*f.size.X*f.size.Y)
	img.Resize(f.filled.X, f.filled.Y, imageproc.Bilinear).Planar(imageproc.ImageNetNorm, f.pixels, f.size.X, f.size.Y)
	return f
}

// masks tells whether the export is told what of its input is image.
func (m *Model) masks() bool {
	return foundation.Has(m.s.Inputs(), "pixel_mask") && m.fixedW == 0 && m.fixedH == 0
}

// Shape is the size of the input for an image of a size.
func (m *Model) Shape(size image.Point) image.Point {
	if m.fixedW > 0 && m.fixedH > 0 {
		return image.Pt(m.fixedW, m.fixedH) // squashed, as the users of such exports do
	}
	w, h := m.opts.size(size.X, size.Y)
	if m.shares {
		add := sideStep / 2
		if m.masks() {
			add = sideStep - 1
		}
		w, h = max((w+add)/sideStep, 1)*sideStep, max((h+add)/sideStep, 1)*sideStep
	}
	return image.Pt(w, h)
}

// tokens is how many a caption of n is padded to.
func (m *Model) tokens(n int) int {
	if m.shares {
		n = (n + tokenStep - 1) / tokenStep * tokenStep
	}
	if m.fixed {
		return m.limit
	}
	return min(n, m.limit)
}

// Native tells whether an export is told what the tokens of a caption see, as the
// authors' own is. One of Hugging Face finds it out in a loop over captions, which
// an export writes down for as many as it was made with.
func Native(inputs []foundation.Port) bool {
	return foundation.Has(inputs, "img", "text_token_mask", "position_ids")
}

// New makes a detector of a session, the tokenizer of its text encoder and
// options. It is an error when the inputs are of no known signature.
func New(s foundation.Session, t *tokenize.BERT, o Options) (*Model, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	m := &Model{s: s, t: t, opts: o, limit: tokenize.BERTContext}
	in, out := s.Inputs(), s.Outputs()
	name, boxes := "pixel_values", "pred_boxes"
	if Native(in) {
		name, boxes = "img", "boxes"
	}
	var ok bool
	if m.image, ok = foundation.Find(in, name); !ok || !foundation.Has(in, "input_ids") {
		return nil, fmt.Errorf("not a known Grounding-DINO: its inputs are %s; known are img, input_ids, position_ids, text_token_mask (native) and pixel_values, input_ids (Hugging Face)", foundation.Names(in))
	}
	if m.boxes = boxes; !foundation.Has(out, "logits", boxes) {
		return nil, fmt.Errorf("not a known Grounding-DINO: its outputs are %s; wanted logits, %s", foundation.Names(out), boxes)
	}
	if len(m.image.Dims) != 4 {
		return nil, fmt.Errorf("Grounding-DINO: input %s has %d axes: wanted [1, 3, height, width]", name, len(m.image.Dims))
	}
	m.fixedH, m.fixedW = max(m.image.Dims[2], 0), max(m.image.Dims[3], 0)
	if p, _ := foundation.Find(in, "input_ids"); len(p.Dims) == 2 && p.Dims[1] > 0 {
		m.limit, m.fixed = p.Dims[1], true
	}
	return m, nil
}

// Detect finds the classes in the image. Boxes are in order of captions, then
// of queries; with NMS, in descending order of score.
func (m *Model) Detect(ctx context.Context, img *imageproc.RGB, classes []Class) ([]Detection, error) {
	defer stages.Start(ctx, stages.Detect)()
	captions, err := Captions(m.t, classes, m.limit, m.opts.PerClass)
	if err != nil {
		return nil, err
	}
	f := m.frame(img)
	var found []Detection
	for _, c := range captions {
		more, err := m.ask(ctx, m.inputs(f, c), c, img)
		if err != nil {
			return nil, fmt.Errorf("Grounding-DINO, caption %.60q: %w", c.Text, err)
		}
		found = append(found, more...)
	}
	if m.opts.NMS > 0 {
		found = suppress(found, m.opts.NMS, false)
	}
	if m.opts.NMSAll > 0 {
		found = suppress(found, m.opts.NMSAll, true)
	}
	return found, nil
}

// ask runs one caption.
func (m *Model) ask(ctx context.Context, in map[string]*tensors.Tensor, c Caption, img *imageproc.RGB) ([]Detection, error) {
	defer foundation.Free(in)
	out, err := m.s.Run(ctx, in, "logits", m.boxes)
	if err != nil {
		return nil, err
	}
	logits, ldims, err := foundation.Floats(out, "logits", 3)
	if err != nil {
		return nil, err
	}
	boxes, bdims, err := foundation.Floats(out, m.boxes, 3)
	if err != nil {
		return nil, err
	}
	if bdims[2] != 4 || bdims[1] != ldims[1] {
		return nil, fmt.Errorf("logits are %v and boxes %v", ldims, bdims)
	}
	return m.opts.read(m.t, c, logits, boxes, ldims[2], img.W, img.H), nil
}

// inputs feeds every input that the export has.
func (m *Model) inputs(f frame, c Caption) map[string]*tensors.Tensor {
	ids := c.IDs
	used := len(ids)
	for want := m.tokens(used); len(ids) < want; {
		ids = append(ids[:len(ids):len(ids)], m.t.Pad())
	}
	n := len(ids)
	mask, positions := Phrases(m.t, ids)
	ones, zeros, whole := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, id := range ids {
		whole[i] = int64(id)
		if i < used {
			ones[i] = 1
		}
	}
	w, h := f.size.X, f.size.Y
	in := map[string]*tensors.Tensor{m.image.Name: tensors.FromFlatDataAndDimensions(f.pixels, 1, 3, h, w)}
	for _, p := range m.s.Inputs() {
		switch p.Name {
		case "pixel_mask":
			content := make([]int64, w*h)
			for y := range f.filled.Y {
				for x := range f.filled.X {
					content[y*w+x] = 1
				}
			}
			in[p.Name] = tensors.FromFlatDataAndDimensions(content, 1, h, w)
		case "input_ids":
			in[p.Name] = tensors.FromFlatDataAndDimensions(whole, 1, n)
		case "token_type_ids":
			in[p.Name] = tensors.FromFlatDataAndDimensions(zeros, 1, n)
		case "attention_mask":
			in[p.Name] = flags(ones, p.DType, 1, n)
		case "position_ids":
			in[p.Name] = tensors.FromFlatDataAndDimensions(positions, 1, n)
		case "text_token_mask":
			in[p.Name] = tensors.FromFlatDataAndDimensions(mask, 1, n, n)
		}
	}
	return in
}

// flags are 0 and 1 as whole numbers or as booleans.
func flags(values []int64, as dtypes.DType, dims ...int) *tensors.Tensor {
	if as != dtypes.Bool {
		return tensors.FromFlatDataAndDimensions(values, dims...)
	}
	set := make([]bool, len(values))
	for i, v := range values {
		set[i] = v != 0
	}
	return tensors.FromFlatDataAndDimensions(set, dims...)
}
