package export

import (
	"errors"
	"image"
	"image/jpeg"
	"io"

	"wsss/checkpoints/files"
	"wsss/data"
)

// pngWriter writes palette PNGs; each file is whole or absent.
type pngWriter struct{ target }

func newPNG(t target) (Writer, error) { return pngWriter{t}, nil }

func (w pngWriter) Add(id string, img *image.NRGBA, label *data.LabelMap) error {
	if err := w.check(id, img, label); err != nil {
		return err
	}
	path, err := w.path("", id, ".png")
	if err != nil {
		return err
	}
	return data.WriteLabelMap(path, label)
}

func (w pngWriter) Close() error { return nil }

// overlayWriter writes the image with its classes painted over it.
type overlayWriter struct{ target }

func newOverlay(t target) (Writer, error) { return overlayWriter{t}, nil }

func (w overlayWriter) Add(id string, img *image.NRGBA, label *data.LabelMap) error {
	if err := w.check(id, img, label); err != nil {
		return err
	}
	if img == nil {
		return errors.New(id + ": an overlay needs the image")
	}
	path, err := w.path("overlay", id, ".jpg")
	if err != nil {
		return err
	}
	return files.WriteAtomic(path, func(out io.Writer) error {
		return jpeg.Encode(out, Overlay(img, label, w.opts.Opacity), &jpeg.Options{Quality: 92})
	})
}

func (w overlayWriter) Close() error { return nil }

// Overlay paints every class but the background over a copy of the image in
// its palette colour, with the given opacity, and outlines regions at full
// strength. Both must have the same size.
func Overlay(img *image.NRGBA, label *data.LabelMap, opacity float64) *image.NRGBA {
	palette := data.VOCPalette()
	out := image.NewNRGBA(image.Rect(0, 0, label.W, label.H))
	alpha := int(opacity*256 + 0.5)
	for y := range label.H {
		row := label.Pix[y*label.W : (y+1)*label.W]
		for x, v := range row {
			i, j := out.PixOffset(x, y), img.PixOffset(img.Rect.Min.X+x, img.Rect.Min.Y+y)
			copy(out.Pix[i:i+3], img.Pix[j:j+3])
			out.Pix[i+3] = 255
			if v == 0 {
				continue
			}
			a := alpha
			if edge(label, x, y, v) {
				a = 256
			}
			r, g, b, _ := palette[v].RGBA()
			for k, c := range [3]uint32{r, g, b} {
				out.Pix[i+k] = uint8((int(out.Pix[i+k])*(256-a) + int(c>>8)*a) >> 8)
			}
		}
	}
	return out
}

// edge says whether a 4-neighbour of a pixel has another value.
func edge(m *data.LabelMap, x, y int, v uint8) bool {
	return x > 0 && m.At(x-1, y) != v || x+1 < m.W && m.At(x+1, y) != v ||
		y > 0 && m.At(x, y-1) != v || y+1 < m.H && m.At(x, y+1) != v
}
