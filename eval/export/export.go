// Package export writes label maps in the formats of other tools: palette PNG,
// overlays, COCO JSON, YOLO polygons, CVAT XML, labelme JSON. Every writer
// streams, holds one image at a time, and may be stopped and started again on
// the same folder.
package export

import (
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"strings"

	"wsss/data"
	"wsss/data/files"
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
	// Tolerance thins out polygons, pixels: see Region.Simplified. 0 keeps
	// them exact.
	Tolerance float64
}

func (o Options) fileName(id string) string {
	if o.FileName == nil {
		return id + ".jpg"
	}
	return o.FileName(id)
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

// formats in the order of the help.
var formats = []format{
	{"png", "palette PNG, <id>.png: the value is the class, 255 is void", newPNG},
	{"overlay", "the classes over the image, overlay/<id>.jpg", newOverlay},
	{"coco", "coco.json: COCO instances, run-length masks", newCOCO},
	{"yolo", "yolo/labels/<id>.txt and data.yaml: YOLO segmentation polygons", newYOLO},
	{"cvat", "cvat.xml: CVAT for images 1.1, polygons", newCVAT},
	{"labelme", "labelme/<id>.json: labelme polygons", newLabelme},
}

// Formats lists the names that Open accepts.
func Formats() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.name
	}
	return names
}

// Describe says what a format writes, "" for an unknown one.
func Describe(name string) string {
	for _, f := range formats {
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
	i := slices.IndexFunc(formats, func(f format) bool { return f.name == name })
	if i < 0 {
		return nil, fmt.Errorf("format %q is unknown: allowed are %s", name, strings.Join(Formats(), ", "))
	}
	return formats[i].open(target{dir: dir, classes: classes, opts: opts})
}
