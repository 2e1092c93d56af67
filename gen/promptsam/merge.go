package promptsam

import (
	"wsss/data"
	"wsss/gen"
	"wsss/models/foundation/sam"
)

// Values of gen.options.merge.
const (
	mergeFuse     = "fuse"
	mergeMaxLogit = "max-logit"
)

// ownership says which class has the highest logit at each pixel: how
// Jiang & Yang 2023's class masks become one label (docs/sources.md §11.4). A nil one changes
// nothing.
type ownership struct {
	w, h  int
	best  []float32 // highest logit so far; at most 0 = nobody's
	class []uint8
}

func newOwnership(w, h int) *ownership {
	return &ownership{w, h, make([]float32, w*h), make([]uint8, w*h)}
}

// owners enters the logits of all masks.
func owners(emb *sam.Embedding, prompts []gen.Prompt, asked []sam.Asked) (*ownership, error) {
	o := newOwnership(emb.W, emb.H)
	for i, a := range asked {
		low, err := a.Logits(a.Mask)
		if err != nil {
			return nil, err
		}
		logits := emb.Upscale(low, a.LowSide)
		if a.Inside != nil {
			sam.Keep(logits, emb.W, *a.Inside)
		}
		o.add(prompts[i].Class, logits)
	}
	return o, nil
}

// add enters a mask's logits; of equal ones the first stays.
func (o *ownership) add(class int, logits []float32) {
	if o == nil {
		return
	}
	for i, v := range logits {
		if v > o.best[i] {
			o.best[i], o.class[i] = v, uint8(class)
		}
	}
}

// trim leaves each mask the pixels that its class owns and drops empty masks,
// so that no pixel is claimed by two classes.
func (o *ownership) trim(masks []gen.Mask) []gen.Mask {
	if o == nil {
		return masks
	}
	kept := masks[:0]
	bits := make([]uint8, o.w*o.h)
	for _, m := range masks {
		clear(bits)
		m.Bits.Each(func(x, y0, y1 int) {
			for y := y0; y < y1; y++ {
				if i := y*o.w + x; int(o.class[i]) == m.Class {
					bits[i] = 1
				}
			}
		})
		if m.Bits = data.EncodeRLE(bits, o.w, o.h); m.Bits.Area() > 0 {
			kept = append(kept, m)
		}
	}
	return kept
}
