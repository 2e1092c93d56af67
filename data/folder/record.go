package folder

import (
	"fmt"
	"image"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/annotation"
)

// recorder gathers annotated images for wsss' own files, which hold weak
// labels: of outlines, the boxes around them.
type recorder struct {
	target  annotation.Target
	write   func(dir string, records []Record) error
	mu      sync.Mutex
	records []Record
	closed  bool
}

// Add keeps an image's labels.
func (r *recorder) Add(im *annotation.Image) error {
	if _, err := files.Join(r.target.Dir, filepath.FromSlash(im.ID)); err != nil {
		return err
	}
	one := annotation.NewSet(r.target.Classes, []*annotation.Image{im})
	rec := Record{ID: im.ID, W: im.W, H: im.H, Weak: one.Weak(im, im.W, im.H)}
	if err := rec.Weak.CheckBoxes(image.Pt(im.W, im.H), r.target.Classes); err != nil {
		return fmt.Errorf("%s: %w", im.From, err)
	}
	if rec.Weak.Boxes == nil && rec.Weak.Points == nil && rec.Weak.Scribbles == nil && len(rec.Weak.Tags) == 0 {
		rec.Weak.Boxes = []data.Box{} // it holds nothing
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, rec)
	return nil
}

// Close writes the files, by ascending id.
func (r *recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(r.records) == 0 {
		return nil
	}
	r.closed = true
	slices.SortStableFunc(r.records, func(a, b Record) int { return strings.Compare(a.ID, b.ID) })
	if err := r.write(r.target.Dir, r.records); err != nil {
		return err
	}
	return files.WriteAtomic(filepath.Join(r.target.Dir, "classes.txt"), func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Join(r.target.Classes.Names, "\n")+"\n")
		return err
	})
}
