package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/image/draw"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/eval"
)

// jpegQuality of the small photos: artefacts do not show under an overlay.
const jpegQuality = 72

// pictureSide is the longer side of the pictures, in pixels: as large as a
// report of n images can have while it stays below about 25 MB. A real photo
// takes some 10 kB at 256 pixels, 19 at 360, 40 at 500; beyond 1,800 images
// Report.Overlays is the remedy.
func pictureSide(n int) int {
	switch {
	case n <= 300:
		return 500
	case n <= 700:
		return 360
	}
	return 256
}

// layerPalette is the VOC palette with a clear background, so that the photo
// shows through, and white for void.
var layerPalette = func() color.Palette {
	p := data.VOCPalette()
	p[0] = color.NRGBA{}
	p[data.Ignore] = color.NRGBA{255, 255, 255, 255}
	return p
}()

// pictures makes the files of one report.
type pictures struct {
	ds   data.Dataset
	root string // absolute or relative folder of the report
	side int

	weakKind data.WeakKind // the form that is drawn; "" = all
}

// task is one image of one split.
type task struct {
	split *gallerySplit
	image *galleryImage
}

func (g *gallery) makePictures(ctx context.Context, dir string, r *Report, progress eval.Progress) error {
	total := 0
	for _, s := range g.Splits {
		total += len(s.Images)
	}
	p := &pictures{ds: r.Dataset, root: dir, side: pictureSide(total), weakKind: r.Weak}
	base := path.Join(FilesName, strconv.Itoa(p.side))
	var tasks []task
	for i := range g.Splits {
		s := &g.Splits[i]
		folder := path.Join(base, slug(i, s.Name))
		s.Photos, s.Truth = path.Join(folder, "photo"), path.Join(folder, "truth")
		for l := range s.Layers {
			s.Layers[l].Files = path.Join(folder, slug(l, s.Layers[l].Name))
		}
		for j := range s.Images {
			tasks = append(tasks, task{s, &s.Images[j]})
		}
	}
	if err := prune(filepath.Join(dir, FilesName), g.folders(p.side)); err != nil {
		return err
	}
	if err := p.all(ctx, tasks, r.Workers, progress); err != nil {
		return err
	}
	for i := range g.Splits {
		s := &g.Splits[i]
		if !slices.ContainsFunc(s.Images, func(im galleryImage) bool { return im.truth }) {
			s.Truth = ""
		}
	}
	return nil
}

// folders are the picture folders in use, relative to FilesName, with their
// parents.
func (g *gallery) folders(side int) map[string]bool {
	used := map[string]bool{strconv.Itoa(side): true}
	add := func(dir string) {
		rel := strings.TrimPrefix(dir, FilesName+"/")
		used[rel], used[path.Dir(rel)] = true, true
	}
	for _, s := range g.Splits {
		add(s.Photos)
		add(s.Truth)
		for _, l := range s.Layers {
			add(l.Files)
		}
	}
	return used
}

// prune removes the picture folders of earlier reports that are not in use:
// other sizes, splits and rows. Only names that this package gives are touched.
func prune(root string, used map[string]bool) error {
	var walk func(rel string, depth int) error
	walk = func(rel string, depth int) error {
		entries, err := files.ReadDir(filepath.Join(root, filepath.FromSlash(rel)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			at := path.Join(rel, e.Name())
			switch {
			case !e.IsDir() || !ours(e.Name(), depth):
			case !used[at]:
				err = files.RemoveAll(filepath.Join(root, filepath.FromSlash(at)))
			case depth < 2:
				err = walk(at, depth+1)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return walk("", 0)
}

// ours tells whether a folder's name is one that this package gives at that
// depth: the size, then split and row with their number.
func ours(name string, depth int) bool {
	number, _, dashed := strings.Cut(name, "-")
	_, err := strconv.Atoi(number)
	return err == nil && (depth == 0) != dashed || depth == 2 && (name == "photo" || name == "truth")
}

// all makes the pictures on some goroutines; each holds one image at a time.
func (p *pictures) all(ctx context.Context, tasks []task, workers int, progress eval.Progress) error {
	return data.ParallelWorkers(ctx, len(tasks), workers, progress, func(_, i int) error {
		if err := p.one(tasks[i]); err != nil {
			return fmt.Errorf("picture of %s: %w", tasks[i].image.ID, err)
		}
		return nil
	})
}

func (p *pictures) one(t task) error {
	id := t.image.ID
	s, err := p.ds.Load(id, data.WantTruth)
	if errors.Is(err, data.ErrNoTruth) {
		s, err = &data.Sample{ID: id}, nil
	}
	if err != nil {
		return err
	}
	size, err := p.photo(t)
	if err != nil {
		return err
	}
	t.image.W, t.image.H = size.X, size.Y
	for _, l := range t.split.Layers {
		if err := p.layer(l, id, size); err != nil {
			return err
		}
	}
	if t.split.has(eval.KindPseudo) {
		if err := p.weak(t); err != nil {
			return err
		}
	}
	if s.Truth != nil {
		t.image.truth = true
		return p.truth(t, s.Truth)
	}
	t.image.Classes, err = classesOf(t.split.Layers, id)
	return err
}

// only leaves the labels of one form; "" leaves all.
func only(w data.WeakLabels, kind data.WeakKind) data.WeakLabels {
	switch kind {
	case "":
		return w
	case data.WeakBoxes:
		return data.WeakLabels{Boxes: w.Boxes}
	case data.WeakPoints:
		return data.WeakLabels{Points: w.Points}
	case data.WeakScribbles:
		return data.WeakLabels{Scribbles: w.Scribbles}
	case data.WeakTags:
		return data.WeakLabels{Tags: w.Tags}
	}
	return data.WeakLabels{}
}

// weak notes the image's weak labels.
func (p *pictures) weak(t task) error {
	s, err := p.ds.Load(t.image.ID, data.WantWeak)
	if err != nil {
		return err
	}
	size, err := data.ImageSize(p.ds.ImagePath(t.image.ID))
	if err != nil {
		return err
	}
	t.image.Weak = marksOf(only(s.Weak, p.weakKind), size.X, size.Y)
	return nil
}

// classesOf lists the classes of an image in the label maps of all rows.
func classesOf(layers []galleryLayer, id string) ([]int, error) {
	var seen [256]bool
	for _, l := range layers {
		from, err := files.Join(l.dir, id+".png")
		if err != nil {
			return nil, err
		}
		m, err := data.ReadLabelMap(from)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for c, there := range m.Present() {
			seen[c] = seen[c] || there
		}
	}
	return data.Objects(seen), nil
}

// photo writes the small JPEG and returns its size.
func (p *pictures) photo(t task) (image.Point, error) {
	id := t.image.ID
	out, err := files.Join(filepath.Join(p.root, t.split.Photos), id+".jpg")
	if err != nil {
		return image.Point{}, err
	}
	stamp, fresh := upToDate(p.ds.ImagePath(id), out)
	if fresh {
		if size, err := jpegSize(out); err == nil {
			return size, nil
		}
	}
	s, err := p.ds.Load(id, data.WantImage)
	if err != nil {
		return image.Point{}, err
	}
	size := fit(s.Image.Rect.Size(), p.side)
	small := image.NewRGBA(image.Rectangle{Max: size})
	if size == s.Image.Rect.Size() {
		draw.Draw(small, small.Rect, s.Image, image.Point{}, draw.Src)
	} else {
		draw.BiLinear.Scale(small, small.Rect, s.Image, s.Image.Rect, draw.Src, nil)
	}
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, small, &jpeg.Options{Quality: jpegQuality}); err != nil {
		return image.Point{}, err
	}
	return size, writePicture(out, buf.Bytes(), stamp)
}

// truth draws the true mask. Datasets do not tell where a mask lies, so it is
// drawn each time and written only if it changed.
func (p *pictures) truth(t task, m *data.LabelMap) error {
	out, err := files.Join(filepath.Join(p.root, t.split.Truth), t.image.ID+".png")
	if err != nil {
		return err
	}
	raw, err := drawLabels(m, image.Pt(t.image.W, t.image.H))
	if err != nil {
		return err
	}
	if old, err := files.ReadFile(out); err == nil && bytes.Equal(old, raw) {
		return nil
	}
	return writePicture(out, raw, time.Time{})
}

// layer draws the label map of one row; one that is missing stays missing.
func (p *pictures) layer(l galleryLayer, id string, size image.Point) error {
	out, err := files.Join(filepath.Join(p.root, l.Files), id+".png")
	if err != nil {
		return err
	}
	from, err := files.Join(l.dir, id+".png")
	if err != nil {
		return err
	}
	stamp, fresh := upToDate(from, out)
	if fresh {
		return nil
	}
	m, err := data.ReadLabelMap(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	raw, err := drawLabels(m, size)
	if err != nil {
		return err
	}
	return writePicture(out, raw, stamp)
}

// upToDate compares times: a picture carries the stamp of what it was made of,
// in the form of a time.
func upToDate(from, out string) (stamp time.Time, fresh bool) {
	stamp, err := files.Stamp(from)
	if err != nil {
		return time.Time{}, false
	}
	have, err := files.Stat(out)
	return stamp, err == nil && have.ModTime().Equal(stamp)
}

func jpegSize(path string) (image.Point, error) {
	f, err := files.Open(path)
	if err != nil {
		return image.Point{}, err
	}
	defer f.Close()
	cfg, err := jpeg.DecodeConfig(f)
	return image.Pt(cfg.Width, cfg.Height), err
}

// fit scales a size down so that its longer side is at most side.
func fit(size image.Point, side int) image.Point {
	long := max(size.X, size.Y)
	if long <= side {
		return size
	}
	return image.Pt(max(1, (size.X*side+long/2)/long), max(1, (size.Y*side+long/2)/long))
}

// drawLabels makes an indexed PNG of the given size by the nearest pixel. Its
// palette holds only the labels that occur: few colours take few bits.
func drawLabels(m *data.LabelMap, size image.Point) ([]byte, error) {
	img := image.NewPaletted(image.Rectangle{Max: size}, nil)
	columns := make([]int, size.X)
	for x := range columns {
		columns[x] = (2*x + 1) * m.W / (2 * size.X)
	}
	var index [256]int // in the palette, plus 1
	for y := range size.Y {
		row := m.Pix[(2*y+1)*m.H/(2*size.Y)*m.W:]
		line := img.Pix[y*img.Stride:]
		for x, at := range columns {
			v := row[at]
			if index[v] == 0 {
				img.Palette = append(img.Palette, layerPalette[v])
				index[v] = len(img.Palette)
			}
			line[x] = uint8(index[v] - 1)
		}
	}
	var buf bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	err := enc.Encode(&buf, img)
	return buf.Bytes(), err
}

// writePicture renames a whole file into place. It is not synced to disk as
// labels and checkpoints are: a picture can be made again, and its time is set
// last.
func writePicture(path string, raw []byte, stamp time.Time) error {
	if files.IsRemote(path) { // its times are the store's own
		return files.WriteAtomic(path, func(w io.Writer) error { _, err := w.Write(raw); return err })
	}
	dir := filepath.Dir(path)
	if err := files.MkdirAll(dir); err != nil {
		return err
	}
	f, err := files.CreateTemp(dir, files.TempPrefix+"*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone after the rename
	defer f.Close()
	_, err = f.Write(raw)
	if err := errors.Join(err, f.Chmod(0o644)); err != nil {
		return err
	}
	if !stamp.IsZero() {
		if err := os.Chtimes(f.Name(), stamp, stamp); err != nil {
			return err
		}
	}
	return os.Rename(f.Name(), path)
}
