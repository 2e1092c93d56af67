// Package annotationtest writes one small data set in the layouts of many
// labelling tools, for tests: the same photos, the same boxes or outlines.
package annotationtest

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/png"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"wsss/data"
)

// Photo is one picture with upright rectangles in it.
type Photo struct {
	Name    string // without extension
	Split   string // "train" or "val"
	Objects []Object
}

// Object is a rectangle by its pixel edges.
type Object struct {
	Class          string
	X0, Y0, X1, Y1 int
}

// Width and Height of the photos, pixels.
const Width, Height = 48, 40

// Classes of the objects, in the order of their numbers.
var Classes = []string{"bolt", "nut"}

// Photos makes n pictures, every third of which is for validation, and the
// last of which holds nothing.
func Photos(n int) []Photo {
	var all []Photo
	for i := range n {
		p := Photo{Name: fmt.Sprintf("photo_%02d", i), Split: "train"}
		if i%3 == 2 {
			p.Split = "val"
		}
		if i < n-1 {
			p.Objects = append(p.Objects, Object{"bolt", 4 + i, 5, 22 + i, 25})
		}
		if i%2 == 1 && i < n-1 {
			p.Objects = append(p.Objects, Object{"nut", 30, 20 + i, 46, 36})
		}
		all = append(all, p)
	}
	return all
}

// Label is the label map of a photo with classes by their order in names,
// background first.
func (p Photo) Label(names []string) *data.LabelMap {
	m := data.NewLabelMap(Width, Height)
	for _, o := range p.Objects {
		for y := o.Y0; y < o.Y1; y++ {
			for x := o.X0; x < o.X1; x++ {
				for c, n := range names {
					if n == o.Class {
						m.Set(x, y, uint8(c))
					}
				}
			}
		}
	}
	return m
}

// Layout is how a tool lays a data set out.
type Layout struct {
	Name     string
	Format   string // in the registry; "" for masks
	Outlines bool   // objects have outlines; else boxes only
	Split    bool   // it says which photos are for validation
	Prefix   string // of the photos' ids
	Write    func(w *Writer, photos []Photo)
}

// Writer writes the files of one layout.
type Writer struct {
	t    testing.TB
	Root string
}

// NewWriter writes below root.
func NewWriter(t testing.TB, root string) *Writer { return &Writer{t, root} }

// Text writes a file.
func (w *Writer) Text(name, text string) {
	w.t.Helper()
	file := filepath.Join(w.Root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// JSON writes a file.
func (w *Writer) JSON(name string, v any) {
	w.t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Text(name, string(raw))
}

// Photo writes the picture of a photo as name.
func (w *Writer) Photo(name string, p Photo) {
	w.t.Helper()
	h := fnv.New32a()
	h.Write([]byte(p.Name))
	tint := uint8(h.Sum32() % 40)
	img := image.NewNRGBA(image.Rect(0, 0, Width, Height))
	for i := range Width * Height {
		img.Set(i%Width, i/Width, color.NRGBA{60 + tint, 110 + uint8(i%Width), 70 + uint8(i/Width), 255})
	}
	for _, o := range p.Objects {
		c := color.NRGBA{220, 50, 40, 255}
		if o.Class == "nut" {
			c = color.NRGBA{40, 60, 230, 255}
		}
		for y := o.Y0; y < o.Y1; y++ {
			for x := o.X0; x < o.X1; x++ {
				img.Set(x, y, c)
			}
		}
	}
	w.png(name, img)
}

func (w *Writer) png(name string, img image.Image) {
	w.t.Helper()
	var b strings.Builder
	if err := png.Encode(&b, img); err != nil {
		w.t.Fatal(err)
	}
	w.Text(name, b.String())
}

// Mask writes the label map of a photo.
func (w *Writer) Mask(name string, p Photo) {
	w.t.Helper()
	w.MaskOf(name, p, func(v uint8) uint8 { return v })
}

// MaskOf writes the label map of a photo, its values as code makes them.
func (w *Writer) MaskOf(name string, p Photo, code func(v uint8) uint8) {
	w.t.Helper()
	file := filepath.Join(w.Root, filepath.FromSlash(name))
	m := p.Label(append([]string{"background"}, Classes...))
	for i, v := range m.Pix {
		m.Pix[i] = code(v)
	}
	if err := data.WriteLabelMap(file, m); err != nil {
		w.t.Fatal(err)
	}
}

// RGBMask writes the true mask of a photo with colours[v] for class v.
func (w *Writer) RGBMask(name string, p Photo, colours [][3]uint8) {
	w.t.Helper()
	m := p.Label(append([]string{"background"}, Classes...))
	img := image.NewNRGBA(image.Rect(0, 0, m.W, m.H))
	for i, v := range m.Pix {
		c := colours[v]
		copy(img.Pix[4*i:], []uint8{c[0], c[1], c[2], 255})
	}
	w.png(name, img)
}

// photos writes all pictures, each to the path that at gives.
func (w *Writer) photos(photos []Photo, at func(p Photo) string) {
	w.t.Helper()
	for _, p := range photos {
		w.Photo(at(p), p)
	}
}

func number(class string) int {
	for i, n := range Classes {
		if n == class {
			return i
		}
	}
	return -1
}

// ring are the corners of an object's rectangle.
func (o Object) ring() []float64 {
	x0, y0, x1, y1 := float64(o.X0), float64(o.Y0), float64(o.X1), float64(o.Y1)
	return []float64{x0, y0, x1, y0, x1, y1, x0, y1}
}

func inFolder(dir string) func(Photo) string {
	return func(p Photo) string { return path.Join(dir, p.Name+".png") }
}

func inSplits(before, after string, names map[string]string) func(Photo) string {
	return func(p Photo) string { return path.Join(before, names[p.Split], after, p.Name+".png") }
}
