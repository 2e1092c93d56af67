package annotation

import (
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/outline"
)

// Writer takes annotated images one by one. It is safe for concurrent use, and
// what it writes does not depend on the order of the images.
type Writer interface {
	// Add writes one image, whose W and H are known. Classes are label values
	// of the target's table. The id is a path without extension that may not
	// leave the folder.
	Add(im *Image) error
	// Close finishes the files that cover all images. Call it also after an
	// error: what was added is kept.
	Close() error
}

// Target is where a writer writes, and what.
type Target struct {
	Dir     string
	Classes data.Classes
	// FileName is an image's file as other tools are to find it, below the
	// folder of the images; nil appends ".jpg" to the id.
	FileName func(id string) string
	// Photo is the path of an image, for formats that want it beside the
	// labels; nil or "" leaves it out.
	Photo func(id string) string
	// IDs are the images without a split (Image.Split) that will be added: of these a
	// format that divides its photos puts a fifth into val. Others go into train.
	IDs []string
	// Tolerance thins out polygons that are made from masks, pixels: see
	// outline.Region.Simplified. 0 keeps them exact.
	Tolerance float64
}

// WriterNames lists the names that Create accepts.
func WriterNames() []string {
	var names []string
	for _, f := range registry {
		if f.Create != nil {
			names = append(names, f.Name)
		}
	}
	return names
}

// Create starts a writer of a format. A folder of an earlier, stopped run is
// continued: images that are added again replace their older versions, all
// others stay.
func Create(format string, t Target) (Writer, error) {
	for _, f := range registry {
		if f.Name == format && f.Create != nil {
			return f.Create(t)
		}
	}
	return nil, fmt.Errorf("format %q is not written: allowed are %s", format, strings.Join(WriterNames(), ", "))
}

func (t Target) fileName(id string) string {
	if t.FileName == nil {
		return id + ".jpg"
	}
	return t.FileName(id)
}

func (t Target) photo(id string) string {
	if t.Photo == nil {
		return ""
	}
	return t.Photo(id)
}

// path is dir/sub/id+ext; an error where the id would leave the folder.
func (t Target) path(sub, id, ext string) (string, error) {
	return files.Join(filepath.Join(t.Dir, sub), filepath.FromSlash(id)+ext)
}

// check is what every Add begins with.
func (t Target) check(im *Image) error {
	if _, err := files.Join(t.Dir, filepath.FromSlash(im.ID)); err != nil {
		return err
	}
	if im.W <= 0 || im.H <= 0 {
		return fmt.Errorf("%s: an image of %d×%d pixels", im.ID, im.W, im.H)
	}
	for i := range im.Objects {
		if c := im.Objects[i].Class; c != data.Ignore && (c < 0 || c >= t.Classes.Len()) {
			return fmt.Errorf("%s: object %d has class %d: allowed are 0..%d", im.ID, i+1, c, t.Classes.Len()-1)
		}
		if b := im.Objects[i].Box; b.Outside(image.Pt(im.W, im.H)) {
			return fmt.Errorf("%s: box %d (%s) (%v,%v)-(%v,%v) lies outside the image of %d×%d", im.From, i+1, t.Classes.Name(b.Class), b.X0, b.Y0, b.X1, b.Y1, im.W, im.H)
		}
	}
	return nil
}

// isClass tells label values that other tools are told of from background and
// void.
func isClass(class int) bool { return class > 0 && class != data.Ignore }

// rings are an object's outlines as closed lines, for formats without masks
// and holes: those that it has, else those of its mask's pixels.
func (t Target) rings(o *Object, w, h int) ([][]float64, error) {
	if len(o.Rings) > 0 {
		return o.Rings, nil
	}
	masks, err := o.Masks(w, h)
	if err != nil {
		return nil, err
	}
	var rings [][]float64
	for _, mask := range masks {
		for _, r := range outline.Regions(&data.LabelMap{W: w, H: h, Pix: mask.Decode()}, 0) {
			rings = append(rings, numbers(r.Simplified(t.Tolerance)))
		}
	}
	return rings, nil
}

// numbers lists corners as x0, y0, x1, y1, ….
func numbers(ring []image.Point) []float64 {
	xy := make([]float64, 0, 2*len(ring))
	for _, p := range ring {
		xy = append(xy, float64(p.X), float64(p.Y))
	}
	return xy
}

func lineOf(s data.Scribble) []float64 { return numbers(s.Points) }

// short keeps the short decimal form of a float32: 0.1, not 0.10000000149.
func short(v float32) float64 {
	f, err := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	if err != nil {
		return float64(v)
	}
	return f
}

// FromLabelMap makes the objects of a label map: its regions of at least
// minArea pixels, with masks and, thinned out by tolerance, outlines.
func FromLabelMap(id string, m *data.LabelMap, minArea int, tolerance float64) *Image {
	im := &Image{ID: id, W: m.W, H: m.H, From: id}
	for _, r := range outline.Regions(m, minArea) {
		mask, b := r.RLE(m.W, m.H), r.Bounds
		im.Objects = append(im.Objects, Object{
			Box:  data.Box{X0: float32(b.Min.X), Y0: float32(b.Min.Y), X1: float32(b.Max.X), Y1: float32(b.Max.Y), Class: r.Class},
			Mask: &mask, Rings: [][]float64{numbers(r.Simplified(tolerance))},
		})
	}
	return im
}

// PlacePhoto puts a photo at path: a link to the same file where the disk can, else
// a copy. A file that is there stays.
func PlacePhoto(photo, path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(photo)
	if err != nil {
		return err
	}
	if os.Link(real, path) == nil {
		return nil
	}
	in, _, err := files.OpenRegular(real)
	if err != nil {
		return err
	}
	defer in.Close()
	return files.WriteAtomic(path, func(out io.Writer) error {
		_, err := io.Copy(out, in)
		return err
	})
}
