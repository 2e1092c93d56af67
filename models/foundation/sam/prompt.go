package sam

import (
	"fmt"

	"wsss/data"
)

// Point is a click in pixels of the image, zero-based.
type Point struct {
	X, Y       float64
	Background bool
}

// Prompt asks for one object: clicks, a box, the logits of an earlier pass,
// or any of them together.
type Prompt struct {
	Points []Point
	Box    *data.Box
	Mask   []float32 // low-resolution logits as Result.Logits gives them; nil for none
}

// Point labels of the prompt encoder (docs/sources.md §3.2).
const (
	labelBackground = 0
	labelForeground = 1
	labelBoxStart   = 2
	labelBoxEnd     = 3
	labelPadding    = -1
)

// token is one point of a prompt as the decoder takes it.
type token struct {
	x, y  float32
	label float32
}

// tokens encodes a prompt: points first, then the corners of the box. Where
// pad is set and there is no box, a padding point follows, which PyTorch's
// SAM adds itself and Meta's ONNX export leaves to the caller (docs/sources.md §3.2,
// §3.4).
func (f Frame) tokens(p Prompt, pad bool) ([]token, error) {
	if len(p.Points) == 0 && p.Box == nil && p.Mask == nil {
		return nil, fmt.Errorf("an empty prompt: wanted points, a box or an earlier mask")
	}
	var list []token
	add := func(x, y float64, label float32) {
		fx, fy := f.Point(x, y)
		list = append(list, token{fx, fy, label})
	}
	for _, q := range p.Points {
		label := float32(labelForeground)
		if q.Background {
			label = labelBackground
		}
		add(q.X, q.Y, label)
	}
	if b := p.Box; b != nil {
		add(float64(b.X0), float64(b.Y0), labelBoxStart)
		add(float64(b.X1), float64(b.Y1), labelBoxEnd)
	} else if pad {
		list = append(list, token{label: labelPadding})
	}
	return list, nil
}
