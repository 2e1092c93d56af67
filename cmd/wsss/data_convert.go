package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"wsss/cmd/pipeline"
	"wsss/data"
	"wsss/data/annotation"
	"wsss/data/folder"
	"wsss/data/words"
)

func convertIntro() string {
	text := `
wsss data convert reads the labels of a dataset, in whatever format a tool wrote
them, and writes them in others: outlines as outlines, boxes as boxes, points,
lines and tags where the format has them.

  wsss data convert -root photos -to coco -out out
  wsss data convert -root export -to yolo -out photos-yolo        ready for yolo train
  wsss data convert -root mixed -set data.options.format=labelme -to cvat,csv -out out
  wsss data convert -kind voc -root VOC2012 -split train -to labelstudio -out out

Read (-set data.options.format=NAME where a folder holds several):
`
	for _, f := range annotation.Formats() {
		text += fmt.Sprintf("  %-12s %s\n", f.Name, f.What)
	}
	text += "\nWritten (-to):\n"
	for _, f := range annotation.Formats() {
		if f.Create != nil {
			text += fmt.Sprintf("  %-12s %s\n", f.Name, f.Writes)
		}
	}
	return text
}

func runConvert(ctx context.Context, args []string) error {
	f := newDataFlags("data convert", convertIntro())
	out := f.String("out", "", "`folder` to write to")
	to := f.String("to", "", "`formats` to write, a list")
	tolerance := f.Float64("tolerance", 0, "thin out polygons made from masks: corners within this many `pixels` of the line are left out")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *out == "" || *to == "" {
		return pipeline.Usagef("data convert: -to and -out are needed, for example -root photos -to coco -out DIR")
	}
	if !(*tolerance >= 0 && *tolerance <= 100) {
		return pipeline.Usagef("data convert: -tolerance %v: allowed are 0..100 pixels", *tolerance)
	}
	if f.config == "" {
		f.kind = cmp.Or(f.kind, folder.Kind)
	}
	ds, splits, err := f.open()
	if err != nil {
		return err
	}
	if err := apart("data convert", f.cfg.Data.Root, *out); err != nil {
		return err
	}
	c := converter{ds: ds, split: map[string]string{}}
	if err := c.list(splits, len(f.splits) > 0); err != nil {
		return err
	}
	target := annotation.Target{Dir: *out, Classes: ds.Classes(), FileName: c.fileName, Photo: ds.ImagePath, Tolerance: *tolerance}
	for name := range strings.SplitSeq(*to, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(annotation.WriterNames(), name) {
			return pipeline.Usagef("data convert: -to %s: allowed are %s", *to, strings.Join(annotation.WriterNames(), ", "))
		}
		w, err := annotation.Create(name, target)
		if err != nil {
			return errors.Join(err, c.close())
		}
		c.writers = append(c.writers, w)
	}
	b := newBar("convert", f.quiet)
	err = data.Parallel(ctx, len(c.ids), b.Update, func(i int) error { return c.convert(c.ids[i]) })
	if err = errors.Join(err, c.close()); err != nil {
		b.Abort()
		return err
	}
	b.Finish()
	fmt.Fprintf(stdout, "%s as %s in %s", words.Plural(int(c.done.Load()), "image"), *to, *out)
	if n := len(c.ids) - int(c.done.Load()); n > 0 {
		fmt.Fprintf(stdout, "; %d without any label are left out", n)
	}
	fmt.Fprintln(stdout)
	return nil
}

// apart refuses a folder to write to that is the one that is read: what is
// written would be read as more labels, and photos twice, the next time.
func apart(command, root, out string) error {
	from, err := os.Stat(root)
	if err != nil {
		return nil // reading it tells
	}
	if to, err := os.Stat(out); err == nil && os.SameFile(from, to) {
		return pipeline.Usagef("%s: -out %s is the folder that is read, and what is written would be read as its labels the next time: choose another folder", command, out)
	}
	return nil
}

// converter turns the labels of a dataset into other formats.
type converter struct {
	ds      data.Dataset
	ids     []string
	split   map[string]string // id → train, val or test
	writers []annotation.Writer
	done    atomic.Int64
}

// list gathers the images of the splits, and which split each is of.
func (c *converter) list(splits []string, chosen bool) error {
	if !chosen {
		for _, name := range []string{"train", "val", "test"} {
			if slices.Contains(c.ds.Splits(), name) && !slices.Contains(splits, name) {
				splits = append([]string{name}, splits...)
			}
		}
	}
	seen := map[string]bool{}
	for _, split := range splits {
		ids, err := c.ds.IDs(split)
		if err != nil {
			return pipeline.UsageError{Err: err}
		}
		for _, id := range ids {
			if slices.Contains([]string{"train", "val", "test"}, split) {
				c.split[id] = split
			}
			if !seen[id] {
				seen[id] = true
				c.ids = append(c.ids, id)
			}
		}
	}
	return nil
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
	c.done.Add(1)
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
