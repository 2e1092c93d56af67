package export

import (
	"encoding/json"
	"fmt"
	"image"
	"io"
	"path"
	"path/filepath"
	"strconv"

	"wsss/data"
	"wsss/data/files"
)

// yoloWriter writes YOLO's segmentation labels: yolo/labels/<id>.txt with one
// line "class x y x y …" per region, class counted from 0 without background,
// corners as fractions of the width and height; and yolo/data.yaml, the names.
type yoloWriter struct{ target }

func newYOLO(t target) (Writer, error) {
	w := yoloWriter{t}
	return w, files.WriteAtomic(filepath.Join(t.dir, "yolo", "data.yaml"), func(out io.Writer) error {
		fmt.Fprintf(out, "path: .\ntrain: images\nval: images\nnc: %d\nnames:\n", t.classes.Len()-1)
		for i, name := range objectClasses(t.classes) {
			quoted, err := json.Marshal(name) // JSON's strings are YAML's
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "  %d: %s\n", i, quoted)
		}
		return nil
	})
}

func (w yoloWriter) Add(id string, img *image.NRGBA, label *data.LabelMap) error {
	if err := w.check(id, img, label); err != nil {
		return err
	}
	path, err := w.path(filepath.Join("yolo", "labels"), id, ".txt")
	if err != nil {
		return err
	}
	return files.WriteAtomic(path, func(out io.Writer) error {
		var line []byte
		for _, r := range Regions(label, w.opts.MinArea) {
			line = strconv.AppendInt(line[:0], int64(r.Class-1), 10)
			for _, p := range r.Simplified(w.opts.Tolerance) {
				line = appendFraction(line, p.X, label.W)
				line = appendFraction(line, p.Y, label.H)
			}
			if _, err := out.Write(append(line, '\n')); err != nil {
				return err
			}
		}
		return nil
	})
}

// appendFraction writes v/whole with eight digits: below a thousandth of a
// pixel in any image that is read.
func appendFraction(line []byte, v, whole int) []byte {
	line = append(line, ' ')
	line = strconv.AppendFloat(line, float64(v)/float64(whole), 'f', 8, 64)
	for line[len(line)-1] == '0' {
		line = line[:len(line)-1]
	}
	if line[len(line)-1] == '.' {
		line = line[:len(line)-1]
	}
	return line
}

func (w yoloWriter) Close() error { return nil }

// labelmeWriter writes labelme/<id>.json, one polygon per region.
type labelmeWriter struct{ target }

type labelmeFile struct {
	Version string         `json:"version"`
	Flags   map[string]int `json:"flags"`
	Shapes  []labelmeShape `json:"shapes"`
	Path    string         `json:"imagePath"`
	Data    *string        `json:"imageData"` // null: the image lies beside the file
	Height  int            `json:"imageHeight"`
	Width   int            `json:"imageWidth"`
}

type labelmeShape struct {
	Label  string         `json:"label"`
	Points [][2]int       `json:"points"`
	Group  *int           `json:"group_id"`
	Text   string         `json:"description"`
	Type   string         `json:"shape_type"`
	Flags  map[string]int `json:"flags"`
}

func newLabelme(t target) (Writer, error) { return labelmeWriter{t}, nil }

func (w labelmeWriter) Add(id string, img *image.NRGBA, label *data.LabelMap) error {
	if err := w.check(id, img, label); err != nil {
		return err
	}
	file, err := w.path("labelme", id, ".json")
	if err != nil {
		return err
	}
	f := labelmeFile{
		Version: "5.4.1", Flags: map[string]int{}, Shapes: []labelmeShape{},
		Path: path.Base(filepath.ToSlash(w.opts.fileName(id))), Height: label.H, Width: label.W,
	}
	for _, r := range Regions(label, w.opts.MinArea) {
		s := labelmeShape{Label: w.classes.Name(r.Class), Type: "polygon", Flags: map[string]int{}}
		for _, p := range r.Simplified(w.opts.Tolerance) {
			s.Points = append(s.Points, [2]int{p.X, p.Y})
		}
		f.Shapes = append(f.Shapes, s)
	}
	return files.WriteAtomic(file, func(out io.Writer) error { return json.NewEncoder(out).Encode(f) })
}

func (w labelmeWriter) Close() error { return nil }
