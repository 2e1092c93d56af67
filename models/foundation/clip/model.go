package clip

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/imageproc"
	"wsss/data/stages"
	"wsss/data/vector"
	"wsss/models/foundation"
	"wsss/models/foundation/tokenize"
)

const (
	defaultSize    = 224
	defaultContext = 77
	// LogitScale is exp of the published models' learned temperature, the
	// largest that their training allows.
	LogitScale = 100
)

// Model is CLIP's pair of towers. It is safe for concurrent use.
type Model struct {
	vision, text foundation.Session
	t            *tokenize.CLIP
	size         int // of the square image
	context      int // tokens of a text
}

// New joins a vision and a text model, which may be the same session of the
// full export. It is an error when one gives no projected embeddings: plain
// transformer exports do not, and cannot be used.
func New(vision, text foundation.Session, t *tokenize.CLIP) (*Model, error) {
	m := &Model{vision: vision, text: text, t: t, size: defaultSize, context: defaultContext}
	image, ok := foundation.Find(vision.Inputs(), "pixel_values")
	if !ok || len(image.Dims) != 4 || !foundation.Has(vision.Outputs(), "image_embeds") {
		return nil, fmt.Errorf("not a known CLIP vision model: it has %s → %s; wanted pixel_values → image_embeds (an export without projection does not do)", foundation.Names(vision.Inputs()), foundation.Names(vision.Outputs()))
	}
	ids, ok := foundation.Find(text.Inputs(), "input_ids")
	if !ok || len(ids.Dims) != 2 || !foundation.Has(text.Outputs(), "text_embeds") {
		return nil, fmt.Errorf("not a known CLIP text model: it has %s → %s; wanted input_ids → text_embeds (an export without projection does not do)", foundation.Names(text.Inputs()), foundation.Names(text.Outputs()))
	}
	if image.Dims[3] > 0 {
		m.size = image.Dims[3]
	}
	if ids.Dims[1] > 0 {
		m.context = ids.Dims[1]
	}
	return m, nil
}

// Size is the side of the square image, 224 for the published models.
func (m *Model) Size() int { return m.size }

// Pixels prepares an image: the shorter side resized bicubically, the centre
// cut out, normalised; [3, size, size].
func (m *Model) Pixels(img *imageproc.RGB) []float32 {
	dst := make([]float32, 3*m.size*m.size)
	img.ResizeShort(m.size, imageproc.Bicubic).CentreCrop(m.size).Planar(imageproc.CLIPNorm, dst, m.size, m.size)
	return dst
}

// Image embeds images, each L2-normalised.
func (m *Model) Image(ctx context.Context, images ...*imageproc.RGB) ([][]float32, error) {
	defer stages.Start(ctx, stages.Tag)()
	all := make([][]float32, len(images))
	err := foundation.Each(ctx, m.vision, len(images), func(i int) error { // exports may fix the batch
		in := map[string]*tensors.Tensor{"pixel_values": tensors.FromFlatDataAndDimensions(m.Pixels(images[i]), 1, 3, m.size, m.size)}
		rows, err := embed(ctx, m.vision, in, "image_embeds")
		if err != nil {
			return fmt.Errorf("CLIP vision model: %w", err)
		}
		all[i] = rows[0]
		return nil
	})
	return all, err
}

// Text embeds texts, each L2-normalised. A text too long for the model is an
// error. Tokens up to the end token are attended to, and not the zeros behind it; 0 is
// also the id of "!" before another letter.
func (m *Model) Text(ctx context.Context, texts ...string) ([][]float32, error) {
	var all [][]float32
	for _, text := range texts {
		ids, err := m.t.Tokenize(text, m.context, false)
		if err != nil {
			return nil, err
		}
		whole, attend := make([]int64, len(ids)), make([]int64, len(ids))
		end := slices.Index(ids, m.t.End())
		for i, id := range ids {
			whole[i] = int64(id)
			if i <= end {
				attend[i] = 1
			}
		}
		in := map[string]*tensors.Tensor{"input_ids": tensors.FromFlatDataAndDimensions(whole, 1, len(ids))}
		if foundation.Has(m.text.Inputs(), "attention_mask") {
			in["attention_mask"] = tensors.FromFlatDataAndDimensions(attend, 1, len(ids))
		}
		rows, err := embed(ctx, m.text, in, "text_embeds")
		if err != nil {
			return nil, fmt.Errorf("CLIP text model: %w", err)
		}
		all = append(all, rows...)
	}
	return all, nil
}

// embed runs a tower and normalises the rows of its output.
func embed(ctx context.Context, s foundation.Session, in map[string]*tensors.Tensor, name string) ([][]float32, error) {
	defer foundation.Free(in)
	out, err := s.Run(ctx, in, name)
	if err != nil {
		return nil, err
	}
	values, dims, err := foundation.Floats(out, name, 2)
	if err != nil {
		return nil, err
	}
	rows := make([][]float32, dims[0])
	for i := range rows {
		rows[i] = values[i*dims[1] : (i+1)*dims[1]]
		vector.Normalise(rows[i])
	}
	return rows, nil
}
