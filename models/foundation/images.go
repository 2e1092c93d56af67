package foundation

import (
	"fmt"
	"image"

	"github.com/gomlx/compute/dtypes"
)

// ImageInput is the one input of a network that sees images.
type ImageInput struct {
	Name   string
	Last   bool        // [batch, height, width, 3]; else [batch, 3, height, width]
	Size   image.Point // that the file fixes, or 0
	Single bool        // the file fixes a batch of one image
}

// ImageInputOf finds it among a session's inputs; the error says what is there
// instead.
func ImageInputOf(s Session) (ImageInput, error) {
	in := s.Inputs()
	if len(in) != 1 || len(in[0].Dims) != 4 || in[0].DType != dtypes.Float32 {
		return ImageInput{}, fmt.Errorf("its inputs are %v: wanted is one of images, float32 [batch, 3, height, width] or [batch, height, width, 3]", in)
	}
	d := in[0].Dims
	i := ImageInput{Name: in[0].Name, Single: d[0] == 1}
	h, w := d[2], d[3]
	if d[3] == 3 && d[1] != 3 {
		i.Last, h, w = true, d[1], d[2]
	} else if d[1] != 3 && d[1] != -1 {
		return i, fmt.Errorf("its input has shape %v: wanted are three channels", d)
	}
	if h > 0 && w > 0 {
		i.Size = image.Pt(w, h)
	}
	return i, nil
}

// Planar turns the pixels of n images from [n, area, 3] into [n, 3, area].
func Planar(pixels []float32, n, area int) []float32 {
	out := make([]float32, len(pixels))
	for i := range n {
		from, to := pixels[3*i*area:], out[3*i*area:]
		for j := range area {
			to[j], to[area+j], to[2*area+j] = from[3*j], from[3*j+1], from[3*j+2]
		}
	}
	return out
}
