package sam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/imageproc"
	"wsss/data/prob"
	"wsss/data/stages"
	"wsss/models/foundation"
)

// maxBatch bounds the prompts of one decoder call.
const maxBatch = 64

// Model is an image encoder with its mask decoder. It is safe for concurrent
// use.
type Model struct {
	enc, dec foundation.Session
	sig      signature
	scorer   *scorer     // nil: the host enlarges and measures masks
	single   atomic.Bool // the decoder takes one prompt at a time, whatever scorer is
}

// New joins an encoder and a decoder of the same export. It is an error when
// their inputs are of no known signature.
func New(encoder, decoder foundation.Session) (*Model, error) {
	sig, err := detect(encoder, decoder)
	if err != nil {
		return nil, err
	}
	return &Model{enc: encoder, dec: decoder, sig: sig}, nil
}

// Side is that of the square the encoder sees: 1024 for the published models.
func (m *Model) Side() int { return m.sig.side }

// TakesBoxes tells whether prompts may have boxes; Hugging Face's export does
// not take them (docs/sources.md §3.4b).
func (m *Model) TakesBoxes() bool { return m.sig.kind != kindHF }

// DecoderTakesBoxes tells the same from the names of a decoder's inputs alone.
func DecoderTakesBoxes(inputs []string) bool {
	return !slices.Contains(inputs, "image_positional_embeddings")
}

// TakesMasks tells whether prompts may have the logits of an earlier pass.
func (m *Model) TakesMasks() bool { return m.sig.metaPrompts() }

// TellsObjects tells whether results say if there is an object at all.
func (m *Model) TellsObjects() bool { return m.sig.object != "" }

// Embedding is an image as the decoder takes it. It stays where the encoder ran,
// and several goroutines may ask of it.
type Embedding struct {
	Frame
	parts   []*tensors.Tensor // in the order of the signature's feed
	enlarge *enlarger         // the scorer's
}

// Free gives its memory back at once, when nobody asks any more.
func (e *Embedding) Free() {
	for _, p := range e.parts {
		_ = p.FinalizeAll() // memory that cannot be freed now is freed later
	}
	e.enlarge.free()
	e.parts, e.enlarge = nil, nil
}

// Embed runs the encoder: once per image, however many prompts follow.
func (m *Model) Embed(ctx context.Context, img *imageproc.RGB) (*Embedding, error) {
	defer stages.Start(ctx, stages.Embed)()
	e := &Embedding{Frame: m.frame(img.W, img.H)}
	in := map[string]*tensors.Tensor{m.sig.image: e.pixels(img, m.sig.layout, m.sig.rank)}
	defer foundation.Free(in)
	out, err := m.enc.Run(ctx, in, m.sig.embed...)
	if err != nil {
		return nil, fmt.Errorf("SAM encoder: %w", err)
	}
	for _, name := range m.sig.embed {
		if err := foundation.CheckFloats(out, name, 4); err != nil {
			foundation.Free(out)
			return nil, fmt.Errorf("SAM encoder: %w", err)
		}
		e.parts = append(e.parts, out[name])
	}
	return e, nil
}

func (m *Model) frame(w, h int) Frame {
	if m.sig.kind == kindEfficient || m.sig.second() {
		return Frame{Side: m.sig.side, W: w, H: h, InW: m.sig.side, InH: m.sig.side, Squash: true, Linear: m.sig.second()}
	}
	return NewFrame(w, h, m.sig.side)
}

// Predict decodes the prompts, in order. Those with equally many points share
// decoder calls where the export allows it.
func (m *Model) Predict(ctx context.Context, e *Embedding, prompts []Prompt) ([]Result, error) {
	results := make([]Result, len(prompts))
	groups := map[int][]int{} // number of tokens → prompts
	encoded := make([][]token, len(prompts))
	var order []int
	for i, p := range prompts {
		if err := m.check(p); err != nil {
			return nil, fmt.Errorf("prompt %d: %w", i, err)
		}
		list, err := e.tokens(p, m.sig.kind == kindMeta)
		if err != nil {
			return nil, fmt.Errorf("prompt %d: %w", i, err)
		}
		if m.sig.points > 0 && len(list) > m.sig.points {
			return nil, fmt.Errorf("prompt %d: %d points: this SAM export takes %d, the corners of a box and a padding point included", i, len(list), m.sig.points)
		}
		if len(list) == 0 || m.sig.kind == kindSAM2HF { // an earlier mask alone; or SAM 2's padding, which others add inside
			list = append(list, token{label: labelPadding})
		}
		for len(list) < m.sig.points {
			list = append(list, token{x: -1, y: -1, label: labelPadding})
		}
		encoded[i] = list
		n := len(list)
		if groups[n] == nil {
			order = append(order, n)
		}
		groups[n] = append(groups[n], i)
	}
	for _, n := range order {
		for group := groups[n]; len(group) > 0; {
			k := m.fits(prompts, group)
			if err := m.decode(ctx, e, prompts, encoded, group[:k], results); err != nil {
				return nil, err
			}
			group = group[k:]
		}
	}
	return results, nil
}

// check refuses what this export cannot take.
func (m *Model) check(p Prompt) error {
	switch {
	case p.Box != nil && !m.TakesBoxes():
		return fmt.Errorf("a box: this SAM export (Hugging Face's) takes points only; use Meta's decoder export for boxes")
	case p.Mask != nil && !m.TakesMasks():
		return fmt.Errorf("an earlier mask: this SAM export takes none; use Meta's decoder export, or SAM 2.1 from its weights (sam2.1-tiny-hf), for iterative prompts")
	case p.Mask != nil && len(p.Mask) != m.sig.low*m.sig.low:
		return fmt.Errorf("the earlier mask has %d logits: wanted %d×%d", len(p.Mask), m.sig.low, m.sig.low)
	case m.sig.kind == kindEfficient && len(p.Points) > efficientPoints-boxCorners(p):
		return fmt.Errorf("%d points: EfficientSAM takes %d tokens, a box counts as two", len(p.Points), efficientPoints)
	}
	return nil
}

func boxCorners(p Prompt) int {
	if p.Box != nil {
		return 2
	}
	return 0
}

// fits is how many of the prompts one call takes. Prompts with and without an
// earlier mask differ in has_mask_input, of which there is one per call.
func (m *Model) fits(prompts []Prompt, group []int) int {
	most := maxBatch
	if !m.sig.batch {
		if !m.repeats() || len(group) < copies {
			return 1
		}
		most = copies
	}
	first := prompts[group[0]].Mask != nil
	for k, i := range group {
		if k == most || (prompts[i].Mask != nil) != first {
			return k
		}
	}
	return len(group)
}

// decode runs the decoder for the prompts picked, which have equally many
// tokens, and stores their results.
func (m *Model) decode(ctx context.Context, e *Embedding, prompts []Prompt, encoded [][]token, picked []int, results []Result) error {
	var coords, labels []float32
	n := len(encoded[picked[0]])
	if m.scorer != nil && m.sig.batch { // the last prompt again, so that few sizes are compiled
		size := 1
		for size < len(picked) {
			size *= 4
		}
		for len(picked) < size {
			picked = append(slices.Clip(picked), picked[len(picked)-1])
		}
	}
	for _, i := range picked {
		for _, t := range encoded[i] {
			coords = append(coords, t.x, t.y)
			labels = append(labels, t.label)
		}
	}
	k := len(picked)
	in := make(map[string]*tensors.Tensor)
	defer func() {
		for _, name := range m.sig.feed { // the embedding's own
			delete(in, name)
		}
		foundation.Free(in)
	}()
	for i, name := range m.sig.feed {
		in[name] = e.parts[i]
	}
	switch m.sig.kind {
	case kindMeta, kindSAM2:
		m.feedMeta(in, coords, labels, k, n)
		m.feedMasks(in, prompts, picked)
	case kindHF, kindSAM2HF:
		in[inPoints] = tensors.FromFlatDataAndDimensions(coords, 1, k, n, 2)
		in[inLabels] = m.labelTensor(labels, 1, k, n)
	case kindEfficient:
		m.feedEfficient(in, coords, labels, k, n)
	}
	out, err := m.ask(ctx, in, k)
	if errors.Is(err, foundation.ErrOneByOne) {
		m.single.Store(true)
		for i := range picked {
			if err := m.decode(ctx, e, prompts, encoded, picked[i:i+1:i+1], results); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("SAM decoder: %w", err)
	}
	return m.collect(out, picked, results)
}

// copies is how many prompts an export for a single one gets at once, where there
// are so many: its graph is compiled so many times over, for as long.
const copies = 8

// repeats tells whether an export for a single prompt is to be asked so.
func (m *Model) repeats() bool {
	_, can := m.dec.(foundation.Repeater)
	return can && m.scorer != nil && m.sig.kind == kindMeta && !m.single.Load()
}

// ask runs the decoder for k prompts.
func (m *Model) ask(ctx context.Context, in map[string]*tensors.Tensor, k int) (map[string]*tensors.Tensor, error) {
	want := []string{m.sig.masks, m.sig.scores}
	if m.sig.object != "" {
		want = append(want, m.sig.object)
	}
	if m.sig.batch || k == 1 {
		return m.dec.Run(ctx, in, want...)
	}
	each := []string{"point_coords", "point_labels"}
	if in["mask_input"].Shape().Dim(0) == k {
		each = append(each, "mask_input")
	}
	return m.dec.(foundation.Repeater).RunEach(ctx, in, each, want...)
}

func (m *Model) feedMeta(in map[string]*tensors.Tensor, coords, labels []float32, k, n int) {
	in["point_coords"] = tensors.FromFlatDataAndDimensions(coords, k, n, 2)
	in["point_labels"] = m.labelTensor(labels, k, n)
	if m.sig.origSize != dtypes.InvalidDType {
		// Only the output at full resolution depends on it, which we make
		// ourselves from the low-resolution one.
		in["orig_im_size"] = sizeTensor(m.sig.origSize, m.sig.side)
	}
}

// sam2Limit bounds the logits of an earlier pass (docs/sources.md §3.6).
const sam2Limit = 32

func (m *Model) feedMasks(in map[string]*tensors.Tensor, prompts []Prompt, picked []int) {
	low := m.sig.low
	has := float32(0)
	masks := make([]float32, low*low)
	if prompts[picked[0]].Mask != nil {
		has, masks = 1, masks[:0]
		for _, i := range picked {
			masks = append(masks, prompts[i].Mask...)
		}
		if m.sig.kind == kindSAM2 { // as its predictor returns them
			for i, v := range masks {
				masks[i] = min(max(v, -sam2Limit), sam2Limit)
			}
		}
	}
	in["mask_input"] = tensors.FromFlatDataAndDimensions(masks, len(masks)/(low*low), 1, low, low)
	in["has_mask_input"] = tensors.FromFlatDataAndDimensions([]float32{has}, 1)
}

// feedEfficient gives the points in a frame as large as the low-resolution
// logits, and that as the image's size: the model then returns those logits
// as they are, whatever the image's size, so that one compiled graph serves
// all images.
func (m *Model) feedEfficient(in map[string]*tensors.Tensor, coords, labels []float32, k, n int) {
	for i := range coords {
		coords[i] *= float32(m.sig.low) / float32(m.sig.side)
		if labels[i/2] != labelPadding {
			coords[i] = max(coords[i], 0) // the model takes negative ones for padding
		}
	}
	in["batched_point_coords"] = tensors.FromFlatDataAndDimensions(coords, 1, k, n, 2)
	in["batched_point_labels"] = m.labelTensor(labels, 1, k, n)
	if m.sig.origSize != dtypes.InvalidDType {
		in["orig_im_size"] = sizeTensor(m.sig.origSize, m.sig.low)
	}
}

func (m *Model) labelTensor(labels []float32, dims ...int) *tensors.Tensor {
	if m.sig.labels == dtypes.Int64 {
		whole := make([]int64, len(labels))
		for i, v := range labels {
			whole[i] = int64(v)
		}
		return tensors.FromFlatDataAndDimensions(whole, dims...)
	}
	return tensors.FromFlatDataAndDimensions(labels, dims...)
}

func sizeTensor(t dtypes.DType, side int) *tensors.Tensor {
	if t == dtypes.Int64 {
		return tensors.FromFlatDataAndDimensions([]int64{int64(side), int64(side)}, 2)
	}
	return tensors.FromFlatDataAndDimensions([]float32{float32(side), float32(side)}, 2)
}

// collect splits the decoder's outputs into results.
func (m *Model) collect(out map[string]*tensors.Tensor, picked []int, results []Result) error {
	maskRank, scoreRank := 4, 2
	if !m.sig.metaPrompts() {
		maskRank, scoreRank = 5, 3
	}
	iou, idims, err := foundation.Floats(out, m.sig.scores, scoreRank)
	if err != nil {
		return fmt.Errorf("SAM decoder: %w", err)
	}
	if err := foundation.CheckFloats(out, m.sig.masks, maskRank); err != nil {
		return fmt.Errorf("SAM decoder: %w", err)
	}
	var object []float32
	if m.sig.object != "" {
		if object, _, err = foundation.Floats(out, m.sig.object, scoreRank); err == nil && len(object) != len(picked) {
			err = fmt.Errorf("%d prompts gave %d object scores", len(picked), len(object))
		}
		if err != nil {
			return fmt.Errorf("SAM decoder: %w", err)
		}
	}
	from := &answer{tensor: out[m.sig.masks]}
	dims := slices.Clone(from.tensor.Shape().Dimensions)
	if m.scorer == nil {
		from.tensor = nil
		if from.values, _, err = foundation.Floats(out, m.sig.masks, maskRank); err != nil {
			return fmt.Errorf("SAM decoder: %w", err)
		}
	}
	dims, idims = dims[maskRank-4:], idims[scoreRank-2:]
	k, n, side := dims[0], dims[1], dims[3]
	if k != len(picked) || dims[2] != side || idims[0] != k || idims[1] != n || n == 0 {
		return fmt.Errorf("SAM decoder: %d prompts gave masks %v and scores %v", len(picked), dims, idims)
	}
	from.prompts, from.masks, from.side = k, k*n, side
	for j, i := range picked {
		r := Result{LowSide: side, IoU: iou[j*n : (j+1)*n], from: from, at: j * n, unstable: m.sig.kind == kindSAM2}
		if r.first = 1; n > 3 {
			r.first = 0
		}
		if n == 1 {
			r.first = oneMask
		}
		r.Object = 1
		if object != nil {
			r.Object = prob.Sigmoid(object[j])
		}
		results[i] = r
	}
	return nil
}
