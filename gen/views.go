package gen

import (
	"image"
	"slices"

	"golang.org/x/image/draw"

	"wsss/data"
)

// view is a changed copy of a sample, and a way to bring a label of the copy
// back to the sample.
type view func(s *data.Sample) (changed *data.Sample, back func(*data.LabelMap) *data.LabelMap)

var views = map[string]view{SignFlip: flip, SignScale: shrink}

// changed copies a sample's weak labels with their places moved by at; boxes
// are moved by their corners. img is the changed image.
func changed(s *data.Sample, img *image.NRGBA, at func(x, y int) (int, int), box func(data.Box) data.Box) *data.Sample {
	out := &data.Sample{ID: s.ID, Image: img, Weak: s.Weak}
	w := &out.Weak
	w.Points = slices.Clone(w.Points)
	for i := range w.Points {
		p := &w.Points[i]
		p.X, p.Y = at(p.X, p.Y)
	}
	w.Boxes = slices.Clone(w.Boxes)
	for i, b := range w.Boxes {
		w.Boxes[i] = box(b)
	}
	w.Scribbles = slices.Clone(w.Scribbles)
	for i, k := range w.Scribbles {
		points := slices.Clone(k.Points)
		for j, p := range points {
			points[j].X, points[j].Y = at(p.X, p.Y)
		}
		w.Scribbles[i].Points = points
	}
	return out
}

// flip exchanges left and right.
func flip(s *data.Sample) (*data.Sample, func(*data.LabelMap) *data.LabelMap) {
	img := image.NewNRGBA(image.Rectangle{Max: s.Image.Rect.Size()})
	w, h := img.Rect.Dx(), img.Rect.Dy()
	for y := range h {
		from, to := s.Image.Pix[y*s.Image.Stride:], img.Pix[y*img.Stride:]
		for x := range w {
			copy(to[4*(w-1-x):4*(w-x)], from[4*x:])
		}
	}
	out := changed(s, img, func(x, y int) (int, int) { return w - 1 - x, y }, func(b data.Box) data.Box {
		b.X0, b.X1 = float32(w)-b.X1, float32(w)-b.X0
		return b
	})
	return out, func(m *data.LabelMap) *data.LabelMap {
		m = m.Clone()
		for rest := m.Pix; len(rest) > 0; rest = rest[m.W:] {
			slices.Reverse(rest[:m.W])
		}
		return m
	}
}

// shrink makes the image three quarters as large. Labels come back by nearest
// neighbour.
func shrink(s *data.Sample) (*data.Sample, func(*data.LabelMap) *data.LabelMap) {
	size := s.Image.Rect.Size()
	small := image.Pt(max(1, size.X*3/4), max(1, size.Y*3/4))
	img := image.NewNRGBA(image.Rectangle{Max: small})
	draw.BiLinear.Scale(img, img.Rect, s.Image, s.Image.Rect, draw.Src, nil)
	fx, fy := float32(small.X)/float32(size.X), float32(small.Y)/float32(size.Y)
	out := changed(s, img, func(x, y int) (int, int) { return x * small.X / size.X, y * small.Y / size.Y }, func(b data.Box) data.Box {
		b.X0, b.Y0, b.X1, b.Y1 = b.X0*fx, b.Y0*fy, b.X1*fx, b.Y1*fy
		return b
	})
	return out, func(m *data.LabelMap) *data.LabelMap {
		big := data.NewLabelMap(size.X, size.Y)
		for i := range big.Pix {
			big.Pix[i] = m.At(i%size.X*small.X/size.X, i/size.X*small.Y/size.Y)
		}
		return big
	}
}
