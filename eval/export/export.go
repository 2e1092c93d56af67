// Package export writes label maps: as palette PNG, as overlays, and as regions
// in the annotation formats of other tools (package annotation). Every writer
// streams, holds one image at a time, and may be stopped and started again on
// the same folder.
package export

import (
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/annotation"
)

// Writer takes label maps one by one. It is safe for concurrent use; what it
// writes does not depend on the order of the images.
type Writer interface {
	// Add writes one image. id is a path without extension ("a/b"), which may
	// not leave the folder; img may be nil except for overlays, else it has
	// the size of label.
	Add(id string, img *image.NRGBA, label *data.LabelMap) error
	// Close finishes the files that cover all images. Call it also after an
	// error: what was added is kept.
	Close() error
}

// Options are details of a format.
type Options struct {
	// FileName is the image's file as other tools are to find it; nil appends
	// ".jpg" to the id.
	FileName func(id string) string
	// Opacity of the classes in overlays, 0 < Opacity <= 1; 0 means 0.5.
	Opacity float64
	// MinArea drops regions below this many pixels from polygons and COCO.
	MinArea int
	// Tolerance thins out polygons, pixels: see outline.Region.Simplified. 0
	// keeps them exact.
	Tolerance float64
	// Photo is the path of an image, for formats that want it beside the
	// labels; nil or "" leaves it out.
	Photo func(id string) string
	// Split is an image's, "train", "val" or "test", for formats that divide
	// the images; nil or "" lets the format draw it from IDs.
	Split func(id string) string
	IDs   []string // the images without a split that will be added
}

// target is where a writer writes, and what.
type target struct {
	dir     string
	classes data.Classes
	opts    Options
}

// path is dir/sub/id+ext; an error where the id would leave the folder.
func (t target) path(sub, id, ext string) (string, error) {
	return files.Join(filepath.Join(t.dir, sub), filepath.FromSlash(id)+ext)
}

// check is what every Add begins with.
func (t target) check(id string, img *image.NRGBA, label *data.LabelMap) error {
	if _, err := files.Join(t.dir, filepath.FromSlash(id)); err != nil {
		return err
	}
	if img != nil && img.Rect.Size() != label.Size() {
		return fmt.Errorf("%s: label map of %v for an image of %v: the sizes must be equal", id, label.Size(), img.Rect.Size())
	}
	if err := label.CheckRange(t.classes.Len()); err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	return nil
}

type format struct {
	name, what string
	open       func(target) (Writer, error)
}

// pictures are the formats that hold label maps as they are.
var pictures = []format{
	{"png", "palette PNG, <id>.png: the value is the class, 255 is void", newPNG},
	{"overlay", "the classes over the image, overlay/<id>.jpg", newOverlay},
}

// formats are the pictures, then the annotation formats that are written, in
// the order of the help.
func formats() []format {
	all := slices.Clone(pictures)
	for _, f := range annotation.Formats() {
		if f.Create != nil {
			all = append(all, format{f.Name, f.Writes, func(t target) (Writer, error) { return newAnnotations(f.Name, t) }})
		}
	}
	return all
}

// annotations writes the regions of label maps in an annotation format.
type annotations struct {
	target
	w annotation.Writer
}

func newAnnotations(name string, t target) (Writer, error) {
	w, err := annotation.Create(name, annotation.Target{
		Dir: t.dir, Classes: t.classes, FileName: t.opts.FileName, Photo: t.opts.Photo, IDs: t.opts.IDs, Tolerance: t.opts.Tolerance,
	})
	return annotations{t, w}, err
}

func (a annotations) Add(id string, img *image.NRGBA, label *data.LabelMap) error {
	if err := a.check(id, img, label); err != nil {
		return err
	}
	im := annotation.FromLabelMap(id, label, a.opts.MinArea, a.opts.Tolerance)
	if a.opts.Split != nil {
		im.Split = a.opts.Split(id)
	}
	return a.w.Add(im)
}

func (a annotations) Close() error { return a.w.Close() }

// Formats lists the names that Open accepts.
func Formats() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// Describe says what a format writes, "" for an unknown one.
func Describe(name string) string {
	for _, f := range formats() {
		if f.name == name {
			return f.what
		}
	}
	return ""
}

// Open starts a writer of a format below dir, which is made when missing. A
// folder of an earlier, stopped run is continued: images that are added again
// replace their older versions, all others stay.
func Open(format, dir string, classes data.Classes) (Writer, error) {
	return OpenWith(format, dir, classes, Options{})
}

// OpenWith is Open with options.
func OpenWith(name, dir string, classes data.Classes, opts Options) (Writer, error) {
	if opts.Opacity == 0 {
		opts.Opacity = 0.5
	}
	if !(opts.Opacity > 0 && opts.Opacity <= 1) {
		return nil, fmt.Errorf("opacity %v: allowed is a number in (0, 1]", opts.Opacity)
	}
	if !(opts.Tolerance >= 0 && opts.Tolerance <= 100) {
		return nil, fmt.Errorf("tolerance %v: allowed are 0..100 pixels", opts.Tolerance)
	}
	all := formats()
	i := slices.IndexFunc(all, func(f format) bool { return f.name == name })
	if i < 0 {
		return nil, fmt.Errorf("format %q is unknown: allowed are %s", name, strings.Join(Formats(), ", "))
	}
	return all[i].open(target{dir: dir, classes: classes, opts: opts})
}
