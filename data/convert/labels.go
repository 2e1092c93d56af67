package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"sync/atomic"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/annotation"
	"wsss/data/folder"
	"wsss/data/names"
	"wsss/data/words"
)

// Job is labels of a dataset to write in other formats.
type Job struct {
	Dataset   data.Dataset
	Splits    []string // whose images are written
	Chosen    bool     // these splits alone; else also train, val and test, where there are such
	Formats   []string // of data/annotation, those that are written
	Dir       string   // where to
	Tolerance float64  // of polygons made from masks, in pixels
}

// Result counts images.
type Result struct {
	Written    int
	Unlabelled int // without any label, and left out
}

// LeftOut ends a line about the result: "; 3 without any label are left out".
func (r Result) LeftOut() string {
	if r.Unlabelled == 0 {
		return ""
	}
	return "; " + words.Count(r.Unlabelled, "without any label is left out", "without any label are left out")
}

// Apart refuses to write to root, the folder that is read: what is written would be
// read as more labels, and photos twice, the next time.
func (j Job) Apart(root string) error {
	if files.Same(root, j.Dir) {
		return fmt.Errorf("%s is the folder that is read, and what is written would be read as its labels the next time: choose another folder", j.Dir)
	}
	return nil
}

// Run writes the labels: outlines as outlines, boxes as boxes, points, lines and
// tags where the format has them.
func (j Job) Run(ctx context.Context, progress func(done, total int)) (Result, error) {
	c := converter{ds: j.Dataset, split: map[string]string{}}
	if err := c.list(j.Splits, j.Chosen); err != nil {
		return Result{}, err
	}
	if err := names.MarkRun(j.Dir); err != nil {
		return Result{}, err
	}
	target := annotation.Target{Dir: j.Dir, Classes: c.ds.Classes(), FileName: c.fileName, Photo: c.ds.ImagePath, Tolerance: j.Tolerance}
	target.IDs = slices.DeleteFunc(slices.Clone(c.ids), func(id string) bool { return c.split[id] != "" })
	for _, name := range j.Formats {
		w, err := annotation.Create(name, target)
		if err != nil {
			return Result{}, errors.Join(err, c.close())
		}
		c.writers = append(c.writers, w)
	}
	err := data.Parallel(ctx, len(c.ids), progress, func(i int) error { return c.convert(c.ids[i]) })
	written := int(c.written.Load())
	return Result{written, len(c.ids) - written}, errors.Join(err, c.close())
}

// converter turns the labels of a dataset into other formats.
type converter struct {
	ds      data.Dataset
	ids     []string
	split   map[string]string // id → train, val or test
	writers []annotation.Writer
	written atomic.Int64
}

// list gathers the images of the splits, and which split each is of.
func (c *converter) list(splits []string, chosen bool) (err error) {
	if !chosen {
		for _, name := range publishedSplits {
			if slices.Contains(c.ds.Splits(), name) && !slices.Contains(splits, name) {
				splits = append([]string{name}, splits...)
			}
		}
	}
	for _, split := range splits {
		if !slices.Contains(publishedSplits, split) {
			continue
		}
		ids, err := c.ds.IDs(split)
		if err != nil {
			return err
		}
		for _, id := range ids {
			c.split[id] = split
		}
	}
	c.ids, err = imagesOf(c.ds, splits)
	return err
}

// fileName is an image's file below the folder of the images.
func (c *converter) fileName(id string) string {
	return path.Join(path.Dir(id), filepath.Base(c.ds.ImagePath(id)))
}

// convert adds one image to every writer; one without any label is left out.
func (c *converter) convert(id string) error {
	im, err := c.annotated(id)
	if err != nil || im == nil {
		return err
	}
	im.Split = cmp.Or(c.split[id], im.Split)
	for _, w := range c.writers {
		if err := w.Add(im); err != nil {
			return err
		}
	}
	c.written.Add(1)
	return nil
}

// annotated is an image with all of its labels: a tool's as they are, else the
// regions of its mask or its boxes, and its points, lines and tags.
func (c *converter) annotated(id string) (*annotation.Image, error) {
	if ds, ok := c.ds.(*folder.Dataset); ok {
		if im, err := ds.Annotated(id); im != nil || err != nil {
			return im, err
		}
	}
	s, err := c.ds.Load(id, data.WantWeak)
	if err != nil {
		return nil, err
	}
	im := &annotation.Image{ID: id, From: id}
	masked, err := c.ds.Load(id, data.WantTruth)
	switch {
	case err == nil:
		im = annotation.FromLabelMap(id, masked.Truth, 0, 0)
	case !errors.Is(err, data.ErrNoTruth):
		return nil, err
	default:
		size, err := data.ImageSize(c.ds.ImagePath(id))
		if err != nil {
			return nil, err
		}
		im.W, im.H = size.X, size.Y
		for _, b := range s.Weak.Boxes {
			im.Objects = append(im.Objects, annotation.Object{Box: b})
		}
		if w := s.Weak; w.Tags == nil && w.Points == nil && w.Scribbles == nil && w.Boxes == nil {
			return nil, nil
		}
	}
	im.Points, im.Scribbles = s.Weak.Points, s.Weak.Scribbles
	for _, tag := range s.Weak.Tags {
		if !im.Has(tag) {
			im.Tags = append(im.Tags, tag)
		}
	}
	return im, nil
}

func (c *converter) close() (err error) {
	for _, w := range c.writers {
		err = errors.Join(err, w.Close())
	}
	return err
}
