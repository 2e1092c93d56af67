package predict

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/data"
	"wsss/data/annotation"
	"wsss/data/words"
	"wsss/eval/export"
)

// Output says where labels go, and how.
type Output struct {
	Dir     string
	Formats []string // of eval/export

	// Polygons leave out corners within Tolerance pixels of the line, and
	// regions of fewer than MinArea pixels; formats that hold every region to
	// the pixel do the latter only where MinAreaAlways is set.
	Tolerance     float64
	MinArea       int
	MinAreaAlways bool
}

// Polygons of predictions are to be looked at and corrected by people: exact
// ones have a corner at every pixel of an edge, and a speck is a polygon too.
const (
	DefaultTolerance = 1
	DefaultMinArea   = 10
)

// PolygonFormats are the formats whose regions are polygons.
func PolygonFormats() []string {
	var names []string
	for _, f := range annotation.Formats() {
		if f.Polygons {
			names = append(names, f.Name)
		}
	}
	return names
}

// options are those of a format.
func (o Output) options(format string) export.Options {
	opts := export.Options{Tolerance: o.Tolerance, MinArea: o.MinArea}
	if f, err := annotation.Lookup(format); !o.MinAreaAlways && (err != nil || !f.Polygons) {
		opts.MinArea = 0
	}
	return opts
}

// open opens the formats; exports that name the photo name it as it is called
// on disk, and YOLO has it beside its labels.
func (o Output) open(classes data.Classes, photos []Photo) ([]export.Writer, error) {
	paths, ids := make(map[string]string, len(photos)), make([]string, 0, len(photos))
	for _, photo := range photos {
		paths[photo.ID] = photo.Path
		ids = append(ids, photo.ID)
	}
	var writers []export.Writer
	for _, format := range o.Formats {
		format = strings.TrimSpace(format)
		opts := o.options(format)
		opts.FileName = func(id string) string { return id + filepath.Ext(paths[id]) }
		opts.Photo, opts.IDs = func(id string) string { return paths[id] }, ids
		w, err := export.OpenWith(format, o.Dir, classes, opts)
		if err != nil {
			return nil, pipeline.UsageError{Err: err}
		}
		writers = append(writers, w)
	}
	return writers, nil
}

// write labels the photos and writes them in the formats. A stopped call that
// was about the same goes on where it stopped.
func (l *labelling) write(ctx context.Context, run *pipeline.Run, title string, classes data.Classes, o Output, about any) (err error) {
	asked := l.photos
	about = []any{about, classes.Names, o.Tolerance, o.MinArea}
	if err := l.resume(o, about); err != nil {
		return err
	}
	complete := false
	defer func() { l.done.close(complete && err == nil) }()
	if l.before > 0 {
		run.Say("going on: %s labelled before", words.Plural(l.before, "image"))
	}
	if l.writers, err = o.open(classes, asked); err != nil {
		return err
	}
	defer func() {
		for _, w := range l.writers {
			err = errors.Join(err, w.Close())
		}
	}()
	if err := run.Step(ctx, title, func(progress func(done, total int)) error { return l.run(ctx, progress) }); err != nil {
		return err
	}
	complete = true
	if l.shrunk > 0 {
		run.Say("photos labelled at a smaller size, their labels enlarged: %d", l.shrunk)
	}
	if l.tiled > 0 {
		run.Say("large photos labelled in tiles of %d pixels: %d; -max-side 1500 would show the network the whole of them, but smaller", l.cut.Side, l.tiled)
	}
	if len(l.unlabelled) > 0 {
		run.Alert("left out: %d of %d images, which have no %s, such as %s", len(l.unlabelled), len(l.photos), l.weak, slices.Min(l.unlabelled))
	}
	if n := len(asked) - len(l.failed) - len(l.unlabelled); n > 0 {
		run.Print("labels of %s in %s (%s)\n", words.Plural(n, "image"), files.Address(o.Dir), strings.Join(o.Formats, ", "))
	}
	return l.leftOut()
}
