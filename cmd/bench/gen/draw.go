package gen

import (
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io"
	"path/filepath"

	"wsss/checkpoints/files"
	"wsss/data"
)

// draw writes one JPEG per image: photo, truth and pseudo-label side by side.
func (b bench) draw() error {
	ids, err := b.ds.IDs(b.split)
	if err != nil {
		return err
	}
	for _, id := range ids {
		s, err := b.ds.Load(id, data.WantAll)
		if err != nil {
			return err
		}
		label, err := data.ReadLabelMap(filepath.Join(b.out, id+".png"))
		if err != nil {
			return err
		}
		size := label.Size()
		sheet := image.NewRGBA(image.Rect(0, 0, 3*size.X, size.Y))
		for k, m := range []*data.LabelMap{nil, s.Truth, label} {
			at := image.Rect(k*size.X, 0, (k+1)*size.X, size.Y)
			draw.Draw(sheet, at, s.Image, image.Point{}, draw.Src)
			if m != nil {
				overlay(sheet, at.Min, m)
			}
		}
		for _, box := range s.Weak.Boxes {
			outline(sheet, box.Rect())
		}
		path := filepath.Join(b.out, "pictures", id+".jpg")
		if err := files.WriteAtomic(path, func(w io.Writer) error { return jpeg.Encode(w, sheet, nil) }); err != nil {
			return err
		}
	}
	return nil
}

// overlay tints the pixels of every class with its colour of the VOC palette,
// void with white.
func overlay(img *image.RGBA, at image.Point, m *data.LabelMap) {
	palette := data.VOCPalette()
	for i, v := range m.Pix {
		if v == 0 {
			continue
		}
		x, y := at.X+i%m.W, at.Y+i/m.W
		tint, under := palette[v].(color.RGBA), img.RGBAAt(x, y)
		if v == data.Ignore {
			tint = color.RGBA{255, 255, 255, 255}
		}
		mix := func(a, b uint8) uint8 { return uint8((int(a) + 2*int(b)) / 3) }
		img.SetRGBA(x, y, color.RGBA{mix(under.R, tint.R), mix(under.G, tint.G), mix(under.B, tint.B), 255})
	}
}

func outline(img *image.RGBA, r image.Rectangle) {
	red := image.NewUniform(color.RGBA{255, 0, 0, 255})
	for _, side := range []image.Rectangle{
		{r.Min, image.Pt(r.Max.X, r.Min.Y+2)}, {image.Pt(r.Min.X, r.Max.Y-2), r.Max},
		{r.Min, image.Pt(r.Min.X+2, r.Max.Y)}, {image.Pt(r.Max.X-2, r.Min.Y), r.Max},
	} {
		draw.Draw(img, side, red, image.Point{}, draw.Src)
	}
}
