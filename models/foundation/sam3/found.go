package sam3

import (
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/prob"
	"wsss/models/foundation"
	"wsss/models/foundation/sam"
)

// Found is what SAM 3 finds of a concept.
type Found struct {
	W, H     int       // of its maps, which cover the photo
	Presence float32   // probability that the concept is in the photo at all; 1 where the export does not tell
	Scores   []float32 // of the instances, times Presence
	masks    []float32 // logits of the instances, W·H each
	semantic []float32 // logits of the semantic head, W·H; nil without
}

// collect reads the decoder's outputs.
func (m *Model) collect(out map[string]*tensors.Tensor) (*Found, error) {
	f := &Found{Presence: 1}
	if m.presence {
		presence, dims, err := foundation.Floats(out, outPresence, 2)
		if err == nil && len(presence) != 1 {
			err = fmt.Errorf("output %q is %v: wanted is one number", outPresence, dims)
		}
		if err != nil {
			return nil, fmt.Errorf("SAM 3 decoder: %w", err)
		}
		f.Presence = prob.Sigmoid(presence[0])
	}
	rank := 2 // some have an axis of length 1 more
	if t := out[outLogits]; t != nil && t.Rank() == 3 {
		rank = 3
	}
	logits, _, err := foundation.Floats(out, outLogits, rank)
	if err != nil {
		return nil, fmt.Errorf("SAM 3 decoder: %w", err)
	}
	masks, dims, err := foundation.Floats(out, outMasks, 4)
	if err != nil {
		return nil, fmt.Errorf("SAM 3 decoder: %w", err)
	}
	if dims[0] != 1 || dims[1] != len(logits) || dims[2] < 1 || dims[3] < 1 {
		return nil, fmt.Errorf("SAM 3 decoder: %d scores for masks %v", len(logits), dims)
	}
	f.H, f.W, f.masks = dims[2], dims[3], masks
	for _, v := range logits {
		f.Scores = append(f.Scores, prob.Sigmoid(v)*f.Presence)
	}
	if m.semantic {
		if f.semantic, dims, err = foundation.Floats(out, outSemantic, 4); err != nil {
			return nil, fmt.Errorf("SAM 3 decoder: %w", err)
		}
		if len(f.semantic) != f.W*f.H {
			return nil, fmt.Errorf("SAM 3 decoder: a semantic map %v beside masks of %d×%d", dims, f.W, f.H)
		}
	}
	return f, nil
}

// Heads say which of the parts of a class map count.
type Heads struct {
	Confidence float64 // instances with a score above it
	Instances  bool
	Semantic   bool
	Presence   bool // the map is multiplied by the presence score
}

// DefaultHeads are SegEarth-OV3's.
func DefaultHeads() Heads {
	return Heads{Confidence: 0.5, Instances: true, Semantic: true, Presence: true}
}

// Map is the class map of a photo of w×h pixels, row-major, 0..1 (SegEarth-OV3, docs/sources.md
// §3.7): at each pixel the larger of the instances' probabilities, each times its score, and the
// semantic head's, and that times the presence score.
func (f *Found) Map(w, h int, heads Heads) []float32 {
	out := make([]float32, w*h)
	larger := func(logits []float32, score float32) {
		for i, v := range sam.Enlarge(logits, f.W, f.H, w, h) {
			out[i] = max(out[i], prob.Sigmoid(v)*score)
		}
	}
	area := f.W * f.H
	for i, score := range f.Scores {
		if heads.Instances && float64(score) > heads.Confidence {
			larger(f.masks[i*area:(i+1)*area], score)
		}
	}
	if heads.Semantic && f.semantic != nil {
		larger(f.semantic, 1)
	}
	if heads.Presence {
		for i := range out {
			out[i] *= f.Presence
		}
	}
	return out
}
