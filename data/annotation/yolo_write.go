package annotation

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"wsss/checkpoints/files"
	"wsss/data"
)

// yoloWriter writes YOLO's labels: lines "class x y width height" of boxes and
// "class x y x y …" of outlines, class counted from 0 without background, all
// else as fractions of the width and height; and data.yaml, the names. Where
// the photos are known they lie beside the labels, in images/train and
// images/val, so that a training can begin:
//
//	yolo/data.yaml
//	yolo/images/train/<id>.jpg    yolo/labels/train/<id>.txt
//
// else labels lie in yolo/labels/<id>.txt.
type yoloWriter struct {
	Target
	val map[string]bool // ids
	mu  sync.Mutex      // of data.yaml
}

const yoloDir = "yolo"

func createYOLO(t Target) (Writer, error) {
	w := &yoloWriter{Target: t, val: map[string]bool{}}
	const fraction = 0.2
	_, val := data.Divide(t.IDs, fraction, 0)
	for _, id := range val {
		w.val[id] = true
	}
	return w, w.writeNames()
}

func (w *yoloWriter) Add(im *Image) error {
	if err := w.check(im); err != nil {
		return err
	}
	sub := filepath.Join(yoloDir, "labels")
	if photo := w.photo(im.ID); photo != "" {
		split := w.splitOf(im)
		sub = filepath.Join(sub, split)
		path, err := w.path(filepath.Join(yoloDir, "images", split), im.ID, filepath.Ext(photo))
		if err == nil {
			err = PlacePhoto(photo, path)
		}
		if err != nil {
			return err
		}
	}
	path, err := w.path(sub, im.ID, ".txt")
	if err != nil {
		return err
	}
	return files.WriteAtomic(path, func(out io.Writer) error { return w.rows(out, im) })
}

// splitOf is the split of a photo: as the image says, else where its labels lie already,
// so that more photos in the same folder move none between train and val.
func (w *yoloWriter) splitOf(im *Image) string {
	if im.Split != "" {
		return im.Split
	}
	for _, split := range []string{"train", "val"} {
		if path, err := w.path(filepath.Join(yoloDir, "labels", split), im.ID, ".txt"); err == nil && files.Exists(path) {
			return split
		}
	}
	if w.val[im.ID] {
		return "val"
	}
	return "train"
}

func (w *yoloWriter) rows(out io.Writer, im *Image) error {
	var line []byte
	width, height := float64(im.W), float64(im.H)
	// A file must not mix boxes and outlines: ultralytics takes it for broken.
	outlines := slices.ContainsFunc(im.Objects, func(o Object) bool { return isClass(o.Class) && o.Outlined() })
	for i := range im.Objects {
		o := &im.Objects[i]
		if !isClass(o.Class) {
			continue
		}
		x0, y0 := min(max(short(o.X0), 0), width), min(max(short(o.Y0), 0), height)
		x1, y1 := min(max(short(o.X1), 0), width), min(max(short(o.Y1), 0), height)
		var rings [][]float64
		switch {
		case o.Outlined():
			var err error
			if rings, err = w.rings(o, im.W, im.H); err != nil {
				return fmt.Errorf("%s: %w", im.ID, err)
			}
		case outlines:
			rings = [][]float64{{x0, y0, x1, y0, x1, y1, x0, y1}}
		default: // centre, width, height
			rings = [][]float64{{(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0}}
		}
		line = line[:0]
		for _, ring := range rings {
			line = strconv.AppendInt(line, int64(o.Class-1), 10)
			for k, v := range ring {
				side := width
				if k%2 == 1 {
					side = height
				}
				line = appendFraction(line, min(max(v, 0), side), side)
			}
			line = append(line, '\n')
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// appendFraction writes v/whole with eight digits: below a thousandth of a
// pixel in any image that is read.
func appendFraction(line []byte, v, whole float64) []byte {
	line = append(line, ' ')
	line = strconv.AppendFloat(line, v/whole, 'f', 8, 64)
	for line[len(line)-1] == '0' {
		line = line[:len(line)-1]
	}
	if line[len(line)-1] == '.' {
		line = line[:len(line)-1]
	}
	return line
}

// Close names the folders that there are: an image folder that is missing would
// stop a training, so a split of few images may serve twice.
func (w *yoloWriter) Close() error { return w.writeNames() }

func (w *yoloWriter) writeNames() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return files.WriteAtomic(filepath.Join(w.Dir, yoloDir, "data.yaml"), func(out io.Writer) error {
		train, val := w.images("train", "val"), w.images("val", "train")
		fmt.Fprintf(out, "train: %s\nval: %s\n", train, val)
		if test := w.images("test", ""); test != "images" {
			fmt.Fprintf(out, "test: %s\n", test)
		}
		fmt.Fprintf(out, "nc: %d\nnames:\n", w.Classes.Len()-1)
		for i, name := range objectClasses(w.Classes) {
			quoted, err := json.Marshal(name) // JSON's strings are YAML's
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "  %d: %s\n", i, quoted)
		}
		return nil
	})
}

// images is the folder of a split's photos, else of the other's, else of all.
func (w *yoloWriter) images(split, other string) string {
	for _, name := range []string{split, other} {
		if info, err := os.Stat(filepath.Join(w.Dir, yoloDir, "images", name)); name != "" && err == nil && info.IsDir() {
			return "images/" + name
		}
	}
	return "images"
}
