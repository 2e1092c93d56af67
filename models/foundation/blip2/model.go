package blip2

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/imageproc"
	"wsss/data/stages"
	"wsss/models/foundation"
	"wsss/models/foundation/tokenize"
)

// Context is the number of tokens of a text.
const Context = 32

const defaultSize = 224

// Model scores texts against an image. It is safe for concurrent use.
//
// Three kinds of graphs are known. One graph: pixel_values, input_ids,
// attention_mask → itm_logits [B, 2], whose second value means a match. The same
// in two parts, so that an image is encoded once for all texts: pixel_values →
// image_embeds [B, patches, width], and image_embeds, input_ids, attention_mask →
// itm_logits. Two towers:
// pixel_values → image_features [B, queries, width], and input_ids,
// attention_mask → text_features [B, width]; the score is the largest cosine
// over the queries.
type Model struct {
	image, text foundation.Session // the same one for the single graph
	t           *tokenize.BERT
	size        int
	matching    bool
	parted      bool // the matching graph takes embeddings of the image
}

// New makes a scorer of the single graph (text nil) or the two towers.
func New(image, text foundation.Session, t *tokenize.BERT) (*Model, error) {
	m := &Model{image: image, text: text, t: t, size: defaultSize, matching: text == nil}
	m.parted = text != nil && foundation.Has(text.Inputs(), "image_embeds")
	in, out := image.Inputs(), image.Outputs()
	pixels, ok := foundation.Find(in, "pixel_values")
	if !ok || len(pixels.Dims) != 4 {
		return nil, fmt.Errorf("not a known BLIP-2: its inputs are %s; wanted pixel_values [B, 3, size, size]", foundation.Names(in))
	}
	if d := pixels.Dims[3]; d > 0 {
		m.size = d
	}
	switch {
	case m.matching && !(foundation.Has(in, "input_ids", "attention_mask") && foundation.Has(out, "itm_logits")):
		return nil, fmt.Errorf("not a known BLIP-2 matching model: it has %s → %s; wanted pixel_values, input_ids, attention_mask → itm_logits", foundation.Names(in), foundation.Names(out))
	case m.parted:
		if !(foundation.Has(out, "image_embeds") && foundation.Has(text.Inputs(), "input_ids", "attention_mask") && foundation.Has(text.Outputs(), "itm_logits")) {
			return nil, fmt.Errorf("not a known BLIP-2 in two parts: it has %s and %s → %s; wanted image_embeds, and image_embeds, input_ids, attention_mask → itm_logits", foundation.Names(out), foundation.Names(text.Inputs()), foundation.Names(text.Outputs()))
		}
	case !m.matching && !(foundation.Has(out, "image_features") && foundation.Has(text.Inputs(), "input_ids", "attention_mask") && foundation.Has(text.Outputs(), "text_features")):
		return nil, fmt.Errorf("not a known pair of BLIP-2 towers: outputs %s and %s; wanted image_features and text_features", foundation.Names(out), foundation.Names(text.Outputs()))
	}
	return m, nil
}

// Clean brings a text to the form that BLIP-2 was trained with: lower case,
// without . ! " ( ) * # : ; ~, white space collapsed.
func Clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`.!"()*#:;~`, r) {
			return ' '
		}
		return r
	}, strings.ToLower(text))
	return strings.Join(strings.Fields(text), " ")
}

// Scores is one score per text, larger for a better fit: log odds of a match,
// or cosines.
func (m *Model) Scores(ctx context.Context, img *imageproc.RGB, texts []string) ([]float32, error) {
	defer stages.Start(ctx, stages.Tag)()
	pixels := make([]float32, 3*m.size*m.size)
	img.Resize(m.size, m.size, imageproc.Bicubic).Planar(imageproc.CLIPNorm, pixels, m.size, m.size)
	picture := func() *tensors.Tensor {
		return tensors.FromFlatDataAndDimensions(pixels, 1, 3, m.size, m.size)
	}
	switch {
	case m.matching:
		return m.match(ctx, m.image, "pixel_values", picture, texts)
	case m.parted:
		embeds, err := m.embed(ctx, picture())
		if err != nil {
			return nil, err
		}
		return m.match(ctx, m.text, "image_embeds", embeds, texts)
	}
	return m.compare(ctx, picture(), texts)
}

// AtOnce is how many images it is worth being asked for at a time.
func (m *Model) AtOnce() int { return foundation.AtOnce(m.image) }

// embed encodes an image, and returns copies of its embeddings.
func (m *Model) embed(ctx context.Context, picture *tensors.Tensor) (func() *tensors.Tensor, error) {
	in := map[string]*tensors.Tensor{"pixel_values": picture}
	defer foundation.Free(in)
	out, err := m.image.Run(ctx, in, "image_embeds")
	if err != nil {
		return nil, fmt.Errorf("BLIP-2 image model: %w", err)
	}
	flat, dims, err := foundation.Floats(out, "image_embeds", 3)
	if err != nil {
		return nil, fmt.Errorf("BLIP-2 image model: %w", err)
	}
	return func() *tensors.Tensor { return tensors.FromFlatDataAndDimensions(flat, dims...) }, nil
}

// match scores texts with a matching graph, whose input of that name is the
// image.
func (m *Model) match(ctx context.Context, s foundation.Session, name string, picture func() *tensors.Tensor, texts []string) ([]float32, error) {
	scores := make([]float32, len(texts))
	for i, text := range texts {
		in := m.words(text)
		in[name] = picture()
		out, err := s.Run(ctx, in, "itm_logits")
		foundation.Free(in)
		if err != nil {
			return nil, fmt.Errorf("BLIP-2: %w", err)
		}
		v, dims, err := foundation.Floats(out, "itm_logits", 2)
		if err != nil || len(v) != 2 {
			return nil, fmt.Errorf("BLIP-2 gave itm_logits %v: wanted [1, 2] (%v)", dims, err)
		}
		scores[i] = v[1] - v[0]
	}
	return scores, nil
}

func (m *Model) compare(ctx context.Context, picture *tensors.Tensor, texts []string) ([]float32, error) {
	in := map[string]*tensors.Tensor{"pixel_values": picture}
	defer foundation.Free(in)
	out, err := m.image.Run(ctx, in, "image_features")
	if err != nil {
		return nil, fmt.Errorf("BLIP-2 image model: %w", err)
	}
	queries, qdims, err := foundation.Floats(out, "image_features", 3)
	if err != nil {
		return nil, fmt.Errorf("BLIP-2 image model: %w", err)
	}
	width := qdims[2]
	scores := make([]float32, len(texts))
	for i, text := range texts {
		words := m.words(text)
		out, err := m.text.Run(ctx, words, "text_features")
		foundation.Free(words)
		if err != nil {
			return nil, fmt.Errorf("BLIP-2 text model: %w", err)
		}
		v, dims, err := foundation.Floats(out, "text_features", 2)
		if err != nil || len(v) != width {
			return nil, fmt.Errorf("BLIP-2 text model gave %v for image features of %d (%v)", dims, width, err)
		}
		best := math.Inf(-1)
		for q := 0; q < len(queries); q += width {
			best = max(best, cosine(queries[q:q+width], v))
		}
		scores[i] = float32(best)
	}
	return scores, nil
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(max(aa*bb, 1e-24))
}

// words are the inputs for one text, padded to Context.
func (m *Model) words(text string) map[string]*tensors.Tensor {
	ids, attend := make([]int64, Context), make([]int64, Context)
	for i := range ids {
		ids[i] = int64(m.t.Pad())
	}
	for i, id := range m.t.Tokenize(Clean(text), Context) {
		ids[i], attend[i] = int64(id), 1
	}
	return map[string]*tensors.Tensor{
		"input_ids": tensors.FromFlatDataAndDimensions(ids, 1, Context), "attention_mask": tensors.FromFlatDataAndDimensions(attend, 1, Context),
	}
}
