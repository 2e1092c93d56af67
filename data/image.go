package data

import (
	"image"
	"image/draw"

	"wsss/data/photo"
)

// MaxPixels bounds the area of any image or mask that is decoded.
const MaxPixels = photo.MaxPixels

// ReadImage decodes a photo into NRGBA with origin (0,0): JPEG, PNG, WebP, TIFF
// or BMP, turned upright by its EXIF orientation, every pixel opaque (see
// package photo). The error names the file.
func ReadImage(path string) (*image.NRGBA, error) { return photo.Read(path) }

// ImageSize reads a photo's width and height, upright, from its header.
func ImageSize(path string) (image.Point, error) {
	i, err := photo.Inspect(path)
	return i.Size(), err
}

// held is the memory that photos and what is computed of them take at a time in
// one process.
var held = photo.NewBudget(2 << 30)

// Hold waits until there is memory for a sample's photo and what is computed of
// it, so many bytes for each pixel, and returns what gives it back. Samples
// whose photo has no file are not counted. Nobody may hold one sample and wait
// for another.
func Hold(ds Dataset, id string, bytesPerPixel int64) (release func()) {
	size, err := ImageSize(ds.ImagePath(id))
	if err != nil { // loading it tells
		return func() {}
	}
	return held.Reserve(bytesPerPixel * int64(size.X) * int64(size.Y))
}

// Upright turns a label map that was drawn on a photo's stored pixels as the
// photo is turned. That is told by the sizes: a photo that lies on its side has
// a stored size other than its upright one. Every other map is returned as it
// is, also where the photo cannot be read: loading it says why.
func Upright(path string, m *LabelMap) *LabelMap {
	o := storedOrientation(path, m.Size())
	if o == 1 {
		return m
	}
	return &LabelMap{W: m.H, H: m.W, Pix: photo.Turn(m.Pix, m.Size(), 1, o)}
}

// storedOrientation is the photo's orientation where a size is that of its
// stored and not that of its upright pixels, else 1.
func storedOrientation(path string, size image.Point) int {
	if size.X == size.Y {
		return 1
	}
	i, err := photo.Inspect(path)
	if err != nil || i.Stored != size || i.Size() == size {
		return 1
	}
	return i.Orientation
}

// Upright turns labels that were drawn on the stored pixels of a photo. size
// is that of the image they were drawn on, as the annotation gives it; see
// Upright of label maps.
func (w *WeakLabels) Upright(path string, size image.Point) {
	o := storedOrientation(path, size)
	if o == 1 {
		return
	}
	for i, p := range w.Points {
		at := photo.Place(image.Pt(p.X, p.Y), size, o)
		w.Points[i].X, w.Points[i].Y = at.X, at.Y
	}
	for _, s := range w.Scribbles {
		for i, p := range s.Points {
			s.Points[i] = photo.Place(p, size, o)
		}
	}
	for i := range w.Boxes {
		w.Boxes[i].turn(size, o)
	}
}

// turn places a box's edges upright: pixels lie between edges, so that these
// turn as in an image of one more row and column.
func (b *Box) turn(size image.Point, orientation int) {
	w, h := float32(size.X), float32(size.Y)
	x0, y0, x1, y1 := b.X0, b.Y0, b.X1, b.Y1
	switch orientation {
	case 5:
		b.X0, b.Y0, b.X1, b.Y1 = y0, x0, y1, x1
	case 6:
		b.X0, b.Y0, b.X1, b.Y1 = h-y1, x0, h-y0, x1
	case 7:
		b.X0, b.Y0, b.X1, b.Y1 = h-y1, w-x1, h-y0, w-x0
	case 8:
		b.X0, b.Y0, b.X1, b.Y1 = y0, w-x1, y1, w-x0
	}
}

// ToNRGBA converts any image to NRGBA with origin (0,0), without a copy where
// it already is one.
func ToNRGBA(img image.Image) *image.NRGBA {
	if p, ok := img.(*image.NRGBA); ok && p.Rect.Min == (image.Point{}) {
		return p
	}
	b := img.Bounds()
	rect := image.Rect(0, 0, b.Dx(), b.Dy())
	switch img.(type) {
	case *image.YCbCr, *image.Gray, *image.CMYK:
		// Opaque pixels are the same bytes in RGBA, for which package draw has
		// fast loops.
		out := image.NewRGBA(rect)
		draw.Draw(out, rect, img, b.Min, draw.Src)
		return (*image.NRGBA)(out)
	}
	out := image.NewNRGBA(rect)
	draw.Draw(out, rect, img, b.Min, draw.Src)
	return out
}
