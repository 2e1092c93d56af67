package sam3

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/stages"
	"wsss/models/foundation"
	"wsss/models/foundation/tokenize"
)

// Inputs and outputs that exports have in common.
const (
	inIDs    = "input_ids"
	inMask   = "attention_mask"
	textMask = "text_mask"
	inBoxes  = "input_boxes"
	inLabels = "input_boxes_labels"

	outMasks    = "pred_masks"
	outLogits   = "pred_logits"
	outPresence = "presence_logits"
	outSemantic = "semantic_seg"
)

const (
	defaultSide    = 1008
	maxSide        = 4096
	defaultContext = 32
	// maxWords bounds the texts whose features are kept.
	maxWords = 1 << 12
)

// Model is SAM 3's three graphs with the tokenizer. It is safe for concurrent use.
type Model struct {
	vision, text, decoder foundation.Session
	words                 *tokenize.CLIP

	image    string   // the encoder's input
	w, h     int      // of the image that it sees
	features []string // of the image, as the decoder names them
	texts    []string // of the text, likewise
	masked   bool     // the text encoder takes attention_mask
	maskType dtypes.DType
	given    string // the decoder's input for the tokens that are no padding, where the text encoder gives none; "" for none
	context  int    // tokens of a text
	boxes    bool   // the decoder takes boxes
	semantic bool   // the decoder gives a semantic map
	presence bool   // the decoder gives the presence score

	mu    sync.Mutex
	known map[string]map[string]*tensors.Tensor // features of texts
}

// New joins the three graphs of an export. It is an error when the decoder has an
// input that none of them gives.
func New(vision, text, decoder foundation.Session, words *tokenize.CLIP) (*Model, error) {
	m := &Model{vision: vision, text: text, decoder: decoder, words: words, w: defaultSide, h: defaultSide, context: defaultContext, known: map[string]map[string]*tensors.Tensor{}}
	if err := m.encoder(); err != nil {
		return nil, err
	}
	if err := m.language(); err != nil {
		return nil, err
	}
	return m, m.connect()
}

func (m *Model) encoder() error {
	in := m.vision.Inputs()
	if len(in) != 1 || len(in[0].Dims) != 4 || in[0].DType != dtypes.Float32 {
		return fmt.Errorf("not a known SAM 3 image encoder: its inputs are %s; wanted is one image, float32 of [batch, 3, height, width]", foundation.Names(in))
	}
	m.image = in[0].Name
	if d := in[0].Dims; d[2] > 0 && d[3] > 0 {
		m.h, m.w = d[2], d[3]
	}
	if m.w > maxSide || m.h > maxSide {
		return fmt.Errorf("SAM 3 image encoder of %d×%d pixels: the largest side allowed is %d", m.w, m.h, maxSide)
	}
	return nil
}

func (m *Model) language() error {
	ids, ok := foundation.Find(m.text.Inputs(), inIDs)
	if !ok || len(ids.Dims) != 2 || ids.DType != dtypes.Int64 {
		return fmt.Errorf("not a known SAM 3 text encoder: its inputs are %s; wanted is %s, int64 of [batch, tokens], with or without %s", foundation.Names(m.text.Inputs()), inIDs, inMask)
	}
	if ids.Dims[1] > 0 {
		m.context = ids.Dims[1]
	}
	for _, p := range m.text.Inputs() {
		switch p.Name {
		case inIDs:
		case inMask:
			m.masked = true
		default:
			return fmt.Errorf("SAM 3 text encoder: its input %s is unknown: known are %s, %s", p.Name, inIDs, inMask)
		}
	}
	return nil
}

// connect finds where each input of the decoder comes from.
func (m *Model) connect() error {
	vision, text := m.vision.Outputs(), m.text.Outputs()
	boxes := 0
	for _, p := range m.decoder.Inputs() {
		switch {
		case foundation.Has(vision, p.Name):
			m.features = append(m.features, p.Name)
		case foundation.Has(text, p.Name):
			m.texts = append(m.texts, p.Name)
		case p.Name == textMask || p.Name == inMask:
			m.given, m.maskType = p.Name, p.DType
		case p.Name == inBoxes || p.Name == inLabels:
			boxes++
		default:
			return fmt.Errorf("SAM 3 decoder: nothing gives its input %s: the image encoder gives %s, the text encoder %s; are the three files of one export?", p.Name, foundation.Names(vision), foundation.Names(text))
		}
	}
	if len(m.features) == 0 || len(m.texts) == 0 || boxes == 1 {
		return fmt.Errorf("not a known SAM 3 decoder: its inputs are %s; wanted are outputs of the image encoder (%s) and of the text encoder (%s), with or without both %s and %s",
			foundation.Names(m.decoder.Inputs()), foundation.Names(vision), foundation.Names(text), inBoxes, inLabels)
	}
	out := m.decoder.Outputs()
	if !foundation.Has(out, outMasks, outLogits) {
		return fmt.Errorf("not a known SAM 3 decoder: its outputs are %s; wanted are %s and %s, with or without %s and %s (an export whose masks are thresholded does not do)", foundation.Names(out), outMasks, outLogits, outPresence, outSemantic)
	}
	m.boxes, m.semantic, m.presence = boxes == 2, foundation.Has(out, outSemantic), foundation.Has(out, outPresence)
	return nil
}

// TakesBoxes tells whether boxes may show what is looked for.
func (m *Model) TakesBoxes() bool { return m.boxes }

// HasSemantic tells whether the export has the semantic head.
func (m *Model) HasSemantic() bool { return m.semantic }

// HasPresence tells whether the export says if a concept is there at all.
func (m *Model) HasPresence() bool { return m.presence }

// Embedding is a photo as the decoder takes it. Several goroutines may ask of it.
type Embedding struct {
	W, H  int
	parts map[string]*tensors.Tensor
}

// Free gives its memory back at once, when nobody asks any more.
func (e *Embedding) Free() { foundation.Free(e.parts) }

// Embed runs the image encoder: once for a photo, however much is looked for. The photo
// is stretched to the encoder's size.
func (m *Model) Embed(ctx context.Context, img *imageproc.RGB) (*Embedding, error) {
	defer stages.Start(ctx, stages.Embed)()
	pixels := make([]float32, 3*m.w*m.h)
	img.Resize(m.w, m.h, imageproc.Bilinear).Planar(imageproc.SignedNorm, pixels, m.w, m.h)
	in := map[string]*tensors.Tensor{m.image: tensors.FromFlatDataAndDimensions(pixels, 1, 3, m.h, m.w)}
	defer foundation.Free(in)
	out, err := m.vision.Run(ctx, in, m.features...)
	if err != nil {
		return nil, fmt.Errorf("SAM 3 image encoder: %w", err)
	}
	return &Embedding{W: img.W, H: img.H, parts: out}, nil
}

// visual is the text that goes with boxes alone, in Meta's processor.
const visual = "visual"

// Exemplar is a box around an object of the kind that is looked for, or, Negative,
// around one that is not.
type Exemplar struct {
	data.Box
	Negative bool
}

// Concept is what to look for: a short noun phrase, exemplars, or both.
type Concept struct {
	Text  string
	Boxes []Exemplar
}

// Find looks for everything in a photo that a concept means.
func (m *Model) Find(ctx context.Context, e *Embedding, c Concept) (*Found, error) {
	defer stages.Start(ctx, stages.Detect)()
	if c.Text == "" && len(c.Boxes) == 0 {
		return nil, fmt.Errorf("an empty concept: wanted is a text, or boxes")
	}
	if len(c.Boxes) > 0 && !m.boxes {
		return nil, fmt.Errorf("boxes: this SAM 3 export takes text only; use one whose decoder has %s", inBoxes)
	}
	if c.Text == "" {
		c.Text = visual
	}
	features, err := m.phrase(ctx, c.Text)
	if err != nil {
		return nil, err
	}
	in := maps.Clone(e.parts)
	maps.Copy(in, features)
	if m.boxes {
		own := e.exemplars(c.Boxes)
		defer foundation.Free(own)
		maps.Copy(in, own)
	}
	want := []string{outMasks, outLogits}
	if m.presence {
		want = append(want, outPresence)
	}
	if m.semantic {
		want = append(want, outSemantic)
	}
	out, err := m.decoder.Run(ctx, in, want...)
	if err != nil {
		return nil, fmt.Errorf("SAM 3 decoder: %w", err)
	}
	defer foundation.Free(out)
	return m.collect(out)
}

// exemplars are the inputs for boxes: their centres and sizes as shares of the photo,
// filled up with padding to a power of two, so that few sizes are compiled.
func (e *Embedding) exemplars(list []Exemplar) map[string]*tensors.Tensor {
	const padding = -10
	n := 1
	for n < len(list) {
		n *= 2
	}
	boxes, labels := make([]float32, 4*n), slices.Repeat([]int64{padding}, n)
	w, h := float32(e.W), float32(e.H)
	for i, b := range list {
		copy(boxes[4*i:], []float32{(b.X0 + b.X1) / 2 / w, (b.Y0 + b.Y1) / 2 / h, (b.X1 - b.X0) / w, (b.Y1 - b.Y0) / h})
		if labels[i] = 1; b.Negative {
			labels[i] = 0
		}
	}
	return map[string]*tensors.Tensor{inBoxes: tensors.FromFlatDataAndDimensions(boxes, 1, n, 4), inLabels: tensors.FromFlatDataAndDimensions(labels, 1, n)}
}

// phrase runs the text encoder, once for a text.
func (m *Model) phrase(ctx context.Context, text string) (map[string]*tensors.Tensor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.known[text]; f != nil {
		return f, nil
	}
	ids, real, err := m.tokens(text)
	if err != nil {
		return nil, err
	}
	in := map[string]*tensors.Tensor{inIDs: tensors.FromFlatDataAndDimensions(ids, 1, m.context)}
	if m.masked {
		in[inMask] = tensors.FromFlatDataAndDimensions(real, 1, m.context)
	}
	defer foundation.Free(in)
	out, err := m.text.Run(ctx, in, m.texts...)
	if err != nil {
		return nil, fmt.Errorf("SAM 3 text encoder: %w", err)
	}
	if m.given != "" {
		out[m.given] = m.maskTensor(real)
	}
	if len(m.known) >= maxWords {
		clear(m.known)
	}
	m.known[text] = out
	return out, nil
}

// tokens are the ids of a text, filled up with the end token, and 1 for each that is no
// such filling.
func (m *Model) tokens(text string) (ids, real []int64, err error) {
	ids, real = slices.Repeat([]int64{int64(m.words.End())}, m.context), make([]int64, m.context)
	list := append([]int32{m.words.Start()}, m.words.Encode(text)...)
	list = append(list, m.words.End())
	if len(list) > m.context {
		return nil, nil, fmt.Errorf("text of %d tokens is too long for SAM 3's %d: %.40q", len(list), m.context, text)
	}
	for i, id := range list {
		ids[i], real[i] = int64(id), 1
	}
	return ids, real, nil
}

func (m *Model) maskTensor(real []int64) *tensors.Tensor {
	if m.maskType != dtypes.Bool {
		return tensors.FromFlatDataAndDimensions(real, 1, m.context)
	}
	flags := make([]bool, len(real))
	for i, v := range real {
		flags[i] = v != 0
	}
	return tensors.FromFlatDataAndDimensions(flags, 1, m.context)
}
