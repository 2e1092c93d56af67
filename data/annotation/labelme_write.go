package annotation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	"wsss/checkpoints/files"
)

// labelmeWriter writes labelme/<id>.json: rectangles, polygons, lines and
// points.
type labelmeWriter struct{ Target }

type labelmeFile struct {
	Version string          `json:"version"`
	Flags   map[string]bool `json:"flags"`
	Shapes  []labelmeShape  `json:"shapes"`
	Path    string          `json:"imagePath"`
	Data    *string         `json:"imageData"` // null: the image lies beside the file
	Height  int             `json:"imageHeight"`
	Width   int             `json:"imageWidth"`
}

type labelmeShape struct {
	Label  string          `json:"label"`
	Points [][2]float64    `json:"points"`
	Group  *int            `json:"group_id"`
	Text   string          `json:"description"`
	Type   string          `json:"shape_type"`
	Flags  map[string]bool `json:"flags"`
}

func createLabelme(t Target) (Writer, error) { return labelmeWriter{t}, nil }

func (w labelmeWriter) Add(im *Image) error {
	if err := w.check(im); err != nil {
		return err
	}
	file, err := w.path("labelme", im.ID, ".json")
	if err != nil {
		return err
	}
	f := labelmeFile{
		Version: "5.4.1", Flags: map[string]bool{}, Shapes: []labelmeShape{},
		Path: w.imagePath(im.ID, file), Height: im.H, Width: im.W,
	}
	for _, c := range im.Tags {
		if isClass(c) && len(im.Objects)+len(im.Points)+len(im.Scribbles) == 0 {
			f.Flags[w.Classes.Name(c)] = true
		}
	}
	add := func(class int, kind string, xy []float64, group *int) {
		s := labelmeShape{Label: w.Classes.Name(class), Type: kind, Flags: map[string]bool{}, Group: group}
		for i := 0; i < len(xy); i += 2 {
			s.Points = append(s.Points, [2]float64{xy[i], xy[i+1]})
		}
		f.Shapes = append(f.Shapes, s)
	}
	for i := range im.Objects {
		o := &im.Objects[i]
		if !isClass(o.Class) {
			continue
		}
		if !o.Outlined() {
			add(o.Class, "rectangle", []float64{short(o.X0), short(o.Y0), short(o.X1), short(o.Y1)}, nil)
			continue
		}
		rings, err := w.rings(o, im.W, im.H)
		if err != nil {
			return fmt.Errorf("%s: %w", im.ID, err)
		}
		var group *int
		if len(rings) > 1 {
			group = new(i + 1)
		}
		for _, ring := range rings {
			add(o.Class, "polygon", ring, group)
		}
	}
	for _, s := range im.Scribbles {
		add(s.Class, "linestrip", lineOf(s), nil)
	}
	for _, p := range im.Points {
		add(p.Class, "point", []float64{float64(p.X), float64(p.Y)}, nil)
	}
	return files.WriteAtomic(file, func(out io.Writer) error { return json.NewEncoder(out).Encode(f) })
}

// imagePath is the way from the file to its photo where there is one, which no way
// leads to from another store or out of a tar file, else the photo's name.
func (w labelmeWriter) imagePath(id, file string) string {
	if photo := w.photo(id); photo != "" {
		from, err1 := files.Abs(filepath.Dir(file))
		to, err2 := files.Abs(photo)
		rel, err3 := filepath.Rel(from, to)
		if errors.Join(err1, err2, err3) == nil && !strings.Contains(rel, ":/") {
			return filepath.ToSlash(rel)
		}
	}
	return path.Base(filepath.ToSlash(w.fileName(id)))
}

func (w labelmeWriter) Close() error { return nil }
