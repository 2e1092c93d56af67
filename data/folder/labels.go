package folder

import (
	"errors"
	"fmt"
	"image"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
)

// maxFile bounds the size of a label file or list.
const maxFile = 256 << 20

// maxCoordinate bounds pixel coordinates: far beyond any image that is read.
const maxCoordinate = 1 << 20

// sink collects the labels that the parsers read.
type sink struct {
	labels   map[string]*data.WeakLabels
	classes  data.Classes
	known    func(id string) bool
	skip     bool                                   // labels of unknown images are skipped
	encoding string                                 // of the file; "" finds out
	resolve  func(name string) (id string, ok bool) // of names that are no ids; may be nil
	other    map[string]int                         // where not nil, counts labels of names that classes lacks, which are left out
	columns  *[]string                              // where not nil, gathers the classes that have columns of their own
	flat     *[]string                              // where not nil, gathers the boxes that cover nothing, which are left out
	learned  *[]string                              // where not nil, gathers the names that classes lacks, which become classes
}

// readLabelFile reads a file in the format that its extension names.
func readLabelFile(path string, s sink) error {
	var parse func(io.Reader, sink) error
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv":
		parse = parseCSV
	case ".json":
		parse = parseJSON
	default:
		return fmt.Errorf("%s: allowed are label files .csv and .json", path)
	}
	f, _, err := files.OpenRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := parse(&bounded{r: f, left: maxFile}, s); err != nil {
		return data.Located(path, err)
	}
	if s.flat == nil || len(*s.flat) == 0 {
		return nil
	}
	for _, w := range s.labels {
		if len(w.Boxes) > 0 {
			return nil
		}
	}
	return fmt.Errorf("%s:%s", path, (*s.flat)[0]) // all of them: the numbers are others
}

// image returns the labels of the image called name, nil where they are to be
// skipped.
func (s sink) image(name string) (*data.WeakLabels, error) {
	id := sampleID(name)
	if !s.known(id) && s.resolve != nil {
		if found, ok := s.resolve(name); ok {
			id = found
		}
	}
	if !s.known(id) {
		if s.skip {
			return nil, nil
		}
		return nil, fmt.Errorf("image = %.100q: no such image; allowed are paths below the image folder, with or without extension (data.options.skip_unknown = true skips others)", name)
	}
	w := s.labels[id]
	if w == nil {
		w = &data.WeakLabels{}
		s.labels[id] = w
	}
	return w, nil
}

// class reads the class of a label: a name, or a label value of at least low.
func (s sink) class(text string, low int) (int, error) {
	c, err := s.find(text, low)
	s.count(c, text)
	return c, err
}

// count notes a label of a class that is left out.
func (s sink) count(class int, name string) {
	if class == leftOut {
		s.other[name]++
	}
}

// find is class without a label.
func (s sink) find(text string, low int) (int, error) {
	c := s.classes.Index(text)
	if c < 0 && s.learned == nil {
		c = s.classes.Find(text)
	}
	if c < 0 && s.learned != nil {
		return s.learn(text)
	}
	if c < 0 {
		if n, err := strconv.Atoi(text); err == nil {
			c = n
		}
	}
	if _, err := strconv.Atoi(text); s.other != nil && err != nil && c < 0 && text != "" {
		return leftOut, nil
	}
	if c == 0 && low == s.classes.Len() { // there are no objects yet
		return 0, fmt.Errorf("%.60q: tags and boxes are of objects; allowed on the background are points and scribbles", text)
	}
	if c < low || c >= s.classes.Len() {
		return 0, fmt.Errorf("%.60q: allowed are label values %d..%d and the names %s", text, low, s.classes.Len()-1, someNames(s.classes.Names[low:]))
	}
	return c, nil
}

// leftOut is the class of labels that are to be left out.
const leftOut = -1

// dropLeftOut leaves them out.
func dropLeftOut(w *data.WeakLabels) {
	w.Tags = slices.DeleteFunc(w.Tags, func(c int) bool { return c == leftOut })
	w.Points = slices.DeleteFunc(w.Points, func(p data.Point) bool { return p.Class == leftOut })
	w.Scribbles = slices.DeleteFunc(w.Scribbles, func(s data.Scribble) bool { return s.Class == leftOut })
	w.Boxes = slices.DeleteFunc(w.Boxes, func(b data.Box) bool { return b.Class == leftOut })
}

// learn is the label value of a name that becomes a class.
func (s sink) learn(name string) (int, error) {
	i := slices.Index(*s.learned, name)
	if i < 0 {
		if i = len(*s.learned); name == "" || s.classes.Len()+i >= data.MaxClasses {
			return 0, fmt.Errorf("%.60q: allowed are at most %d class names", name, data.MaxClasses-1)
		}
		*s.learned = append(*s.learned, name)
	}
	return s.classes.Len() + i, nil
}

// someNames lists the first few names.
func someNames(names []string) string {
	const most = 8
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// pixel checks a pixel coordinate and drops its fraction.
func pixel(v float64) (int, error) {
	if !(v >= 0 && v <= maxCoordinate) {
		return 0, fmt.Errorf("%v: allowed are 0-based pixels 0..%d", v, maxCoordinate)
	}
	return int(v), nil
}

// newBox checks the edges of a box, whose corners may come in any order.
func newBox(x0, y0, x1, y1 float64, class int, difficult, crowd bool) (data.Box, error) {
	for _, v := range []float64{x0, y0, x1, y1} {
		if !(math.Abs(v) <= maxCoordinate) {
			return data.Box{}, fmt.Errorf("box edge %v: allowed are pixels up to ±%d", v, maxCoordinate)
		}
	}
	x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
	b := data.Box{X0: float32(x0), Y0: float32(y0), X1: float32(x1), Y1: float32(y1), Class: class, Difficult: difficult, Crowd: crowd}
	if b.X0 >= b.X1 || b.Y0 >= b.Y1 {
		return b, flatBox{fmt.Errorf("box (%v,%v)-(%v,%v) is empty: allowed is x0 < x1 and y0 < y1 (edges: a box of one pixel has x1 = x0 + 1)", x0, y0, x1, y1)}
	}
	return b, nil
}

// flatBox is the error of a box without an area, as a click that was no drag leaves it.
type flatBox struct{ error }

// flatFaults are the boxes of a file that are left out.
func flatFaults(path string, flat []string) (faults []data.Fault) {
	for _, text := range flat {
		faults = append(faults, data.Fault{Kind: "object-empty", Warning: true, Message: path + ":" + text + ": it is left out"})
	}
	return faults
}

// leave notes a box that covers nothing, which is then left out where flat is there
// to take it; it returns any other error. where is the line or the item.
func (s *sink) leave(where string, err error) error {
	if flat := (flatBox{}); s.flat == nil || !errors.As(err, &flat) {
		return err
	}
	*s.flat = append(*s.flat, where+err.Error())
	return nil
}

// finish completes the labels of an image once every file is read: tags
// ascend, and where no file gives tags they are the classes of the other
// labels.
func finish(w *data.WeakLabels) {
	if w.Tags == nil && (w.Points != nil || w.Scribbles != nil || w.Boxes != nil) {
		w.Tags = []int{}
		for _, p := range w.Points {
			w.Tags = append(w.Tags, p.Class)
		}
		for _, s := range w.Scribbles {
			w.Tags = append(w.Tags, s.Class)
		}
		for _, b := range w.Boxes {
			w.Tags = append(w.Tags, b.Class)
		}
		w.Tags = slices.DeleteFunc(w.Tags, func(c int) bool { return c == 0 })
	}
	slices.Sort(w.Tags)
	w.Tags = slices.Compact(w.Tags)
}

// origin remembers which file gave an image each form of label.
type origin map[string]*[4]string

// merge adds the labels of one file. One form of one image comes from one
// file: the same labels in two files would count twice.
func (o origin) merge(all, part map[string]*data.WeakLabels, path string) error {
	for _, id := range slices.Sorted(maps.Keys(part)) {
		w, p := all[id], part[id]
		if w == nil {
			w = &data.WeakLabels{}
			all[id], o[id] = w, &[4]string{}
		}
		for i, form := range []struct {
			name  string
			given bool
		}{{"tags", p.Tags != nil}, {"points", p.Points != nil}, {"scribbles", p.Scribbles != nil}, {"boxes", p.Boxes != nil}} {
			first := &o[id][i]
			if form.given && *first != "" {
				return fmt.Errorf("%s: image %q has %s in %s already: leave one of the two out", path, id, form.name, *first)
			}
			if form.given {
				*first = path
			}
		}
		take(&w.Tags, p.Tags)
		take(&w.Points, p.Points)
		take(&w.Scribbles, p.Scribbles)
		take(&w.Boxes, p.Boxes)
	}
	return nil
}

func take[T any](list *[]T, part []T) {
	if part != nil {
		*list = part
	}
}

// needNonNil marks a form of labels as available.
func needNonNil[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}

func newScribble(class int, points []image.Point) (data.Scribble, error) {
	if len(points) == 0 {
		return data.Scribble{}, errors.New("a scribble without points: allowed is one or more")
	}
	return data.Scribble{Class: class, Points: points}, nil
}

// bounded fails, rather than ends, past its limit: a cut-off label file must
// not pass for a whole one.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("larger than %d bytes, the most a label file may be", maxFile)
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
