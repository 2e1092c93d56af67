package promptsam

import (
	"context"
	"fmt"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/models/foundation/sam"
)

// Look embeds the image.
func (e *engine) Look(ctx context.Context, s *data.Sample) (gen.Looked, error) {
	if s.Image == nil || s.Image.Rect.Empty() {
		return nil, fmt.Errorf("SAM needs the image, and it has no pixels")
	}
	emb, err := e.cache.Embed(ctx, e.model, imageproc.FromImage(s.Image))
	return looked{e, emb}, err
}

// looked is an image with its embedding.
type looked struct {
	*engine
	emb *sam.Embedding
}

// Mask decodes one prompt. A SAM without box prompts is asked with the box's
// centre instead.
func (l looked) Mask(ctx context.Context, p gen.Prompt) (gen.Mask, error) {
	asked := p
	if p.Box != nil && !l.model.TakesBoxes() {
		asked.Box = nil
		if len(p.Points) == 0 {
			asked.Points = []data.Point{{X: int(p.Box.X0+p.Box.X1) / 2, Y: int(p.Box.Y0+p.Box.Y1) / 2, Class: p.Class}}
		}
	}
	results, err := l.model.Predict(ctx, l.emb, []sam.Prompt{question(asked)})
	if err != nil {
		return gen.Mask{}, err
	}
	defer sam.Free(results)
	masks, err := l.decide(ctx, l.emb, []gen.Prompt{asked}, results)
	if err != nil {
		return gen.Mask{}, err
	}
	if len(masks) == 0 {
		return gen.Mask{Class: p.Class, From: p, Bits: data.EncodeRLE(make([]uint8, l.emb.W*l.emb.H), l.emb.W, l.emb.H)}, nil
	}
	masks[0].From = p
	return masks[0], nil
}

// The methods around a SAM answer prompts with it.

// Look embeds the image.
func (m *method) Look(ctx context.Context, s *data.Sample) (gen.Looked, error) {
	return m.engine.Look(ctx, s)
}

// Look embeds the image.
func (g *grounded) Look(ctx context.Context, s *data.Sample) (gen.Looked, error) {
	return g.engine.Look(ctx, s)
}

// Look embeds the image.
func (a *auto) Look(ctx context.Context, s *data.Sample) (gen.Looked, error) {
	return a.engine.Look(ctx, s)
}

// Look embeds the image.
func (m *camMethod) Look(ctx context.Context, s *data.Sample) (gen.Looked, error) {
	return m.engine.Look(ctx, s)
}
