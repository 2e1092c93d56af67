package gen

import (
	"image"
	"slices"

	"wsss/data"
)

// mirrored is the sample with left and right exchanged: image and weak labels.
func mirrored(s *data.Sample) *data.Sample {
	out := &data.Sample{ID: s.ID, Image: image.NewNRGBA(image.Rectangle{Max: s.Image.Rect.Size()})}
	w, h := out.Image.Rect.Dx(), out.Image.Rect.Dy()
	for y := range h {
		from, to := s.Image.Pix[y*s.Image.Stride:], out.Image.Pix[y*out.Image.Stride:]
		for x := range w {
			copy(to[4*(w-1-x):4*(w-x)], from[4*x:])
		}
	}
	weak := s.Weak
	weak.Points = slices.Clone(weak.Points)
	for i, p := range weak.Points {
		weak.Points[i].X = w - 1 - p.X
	}
	weak.Boxes = slices.Clone(weak.Boxes)
	for i, b := range weak.Boxes {
		weak.Boxes[i].X0, weak.Boxes[i].X1 = float32(w)-b.X1, float32(w)-b.X0
	}
	weak.Scribbles = slices.Clone(weak.Scribbles)
	for i, k := range weak.Scribbles {
		points := slices.Clone(k.Points)
		for j := range points {
			points[j].X = w - 1 - points[j].X
		}
		weak.Scribbles[i].Points = points
	}
	out.Weak = weak
	return out
}

// mirrorPixels reverses every row of w pixels.
func mirrorPixels(pix []uint8, w int) {
	for ; len(pix) >= w && w > 0; pix = pix[w:] {
		slices.Reverse(pix[:w])
	}
}
