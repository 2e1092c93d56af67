package folder

import (
	"errors"
	"fmt"
	"image"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/annotation"
	"wsss/data/maskcode"
	"wsss/data/text"
	"wsss/data/weaken"
)

// Annotations is what a labelling tool's files say; nil where the folder's
// labels are wsss' own CSV or JSON.
func (d *Dataset) Annotations() *annotation.Set { return d.notes }

// readAnnotations reads a labelling tool's files: those of the options, else
// those that are found where the folder has no label files of wsss' own.
func (d *Dataset) readAnnotations(opts Options) (*annotation.Set, error) {
	if isOwn(opts.Format) {
		return nil, nil
	}
	table, err := d.table(opts)
	if err != nil {
		return nil, err
	}
	ask := annotation.Options{Format: opts.Format, Classes: table}
	for _, name := range opts.Labels {
		if _, err := files.Join(d.root, name); err != nil {
			return nil, configs.KeyErrorf("data.options.labels: %w", err)
		}
		ask.Files = append(ask.Files, filepath.ToSlash(filepath.Clean(name)))
	}
	src, err := d.source()
	if err != nil {
		return nil, err
	}
	if opts.Format == "" && d.hasOwn(src, ask.Files) {
		return nil, nil
	}
	set, err := annotation.Read(src, ask)
	if errors.Is(err, annotation.ErrNone) && opts.Format == "" {
		return nil, nil // photos without labels
	}
	return set, err
}

// table is the class table by which masks count, and so must annotations: that
// of the options, of classes.txt with background first, or of a table of
// colours; nil where there is none. A classes.txt without background is YOLO's.
func (d *Dataset) table(opts Options) ([]string, error) {
	if len(opts.Names) > 0 {
		return opts.Names, nil
	}
	if opts.Classes != "" {
		path, err := files.Join(d.root, opts.Classes)
		if err != nil {
			return nil, configs.KeyErrorf("data.options.classes: %w", err)
		}
		if c, err := ReadClasses(path); !errors.Is(err, fs.ErrNotExist) {
			return c.Names, err
		}
		return nil, nil // readClasses says what is missing
	}
	if c, err := ReadClasses(filepath.Join(d.root, "classes.txt")); err == nil {
		return c.Names, nil
	}
	return maskcode.ClassesOf(d.root)
}

// hasOwn tells whether the label files, by default those of the usual names,
// are wsss' own.
func (d *Dataset) hasOwn(src *annotation.Source, names []string) bool {
	if len(names) == 0 {
		names = d.usualFiles()
	}
	var foreign []string
	if len(names) > 0 {
		for _, found := range annotation.Detect(src) {
			if !isOwn(found.Format) && found.Format != tableFormat {
				foreign = append(foreign, found.Files...)
			}
		}
	}
	return slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(foreign, name) })
}

// usualFiles are the label files of the usual names that lie in the root.
func (d *Dataset) usualFiles() []string {
	return slices.DeleteFunc(slices.Clone(labelFiles), func(name string) bool { return !files.IsFile(filepath.Join(d.root, name)) })
}

// isOwn tells whether a format is one of wsss' own.
func isOwn(format string) bool { return format == "csv" || format == "json" }

// annotatedLabels are the weak labels of all annotated images.
func (d *Dataset) annotatedLabels() (map[string]*data.WeakLabels, error) {
	labels := make(map[string]*data.WeakLabels, len(d.notes.Images))
	for _, im := range d.notes.Images {
		w, h, err := d.annotatedSize(im)
		if err != nil {
			return nil, err
		}
		weak := d.notes.Weak(im, w, h)
		weak.Upright(d.images[im.ID], image.Pt(w, h))
		labels[im.ID] = &weak
	}
	return labels, nil
}

// annotatedSize is the image's as annotated, else the photo's.
func (d *Dataset) annotatedSize(im *annotation.Image) (w, h int, err error) {
	if im.W > 0 && im.H > 0 {
		return im.W, im.H, nil
	}
	size, err := data.ImageSize(d.images[im.ID])
	return size.X, size.Y, err
}

// annotatedTruth paints the outlines of an image.
func (d *Dataset) annotatedTruth(id string) (*data.LabelMap, error) {
	im := d.notes.Image(id)
	if im == nil {
		return nil, fmt.Errorf("%s of %s: %w (no annotation)", id, d.root, data.ErrNoTruth)
	}
	w, h, err := d.annotatedSize(im)
	if err != nil {
		return nil, err
	}
	m, err := d.notes.Truth(im, w, h)
	if err != nil {
		return nil, err
	}
	return data.Upright(d.images[id], m), nil
}

// check refuses what is wrong whatever is in the folder, and gives what derived does.
func (o Options) check() ([]data.WeakKind, error) {
	if err := data.CheckFraction(o.ValFraction); err != nil {
		return nil, configs.KeyErrorf("data.options.%w", err)
	}
	if err := text.Check(o.Encoding); err != nil {
		return nil, configs.KeyErrorf("data.options.encoding: %w", err)
	}
	if o.Format != "" && !isOwn(o.Format) {
		if _, err := annotation.Lookup(o.Format); err != nil {
			return nil, configs.KeyErrorf("data.options.format: %w", err)
		}
	}
	return o.derived()
}

// derived lists the forms of labels that come from the masks.
func (o Options) derived() ([]data.WeakKind, error) {
	var kinds []data.WeakKind
	for _, k := range []struct {
		kind  data.WeakKind
		value string
	}{{data.WeakTags, o.Tags}, {data.WeakPoints, o.Points}, {data.WeakScribbles, o.Scribbles}, {data.WeakBoxes, o.Boxes}} {
		switch k.value {
		case "":
		case "masks":
			kinds = append(kinds, k.kind)
		default:
			return nil, configs.KeyErrorf("data.options.%s = %q: allowed is \"masks\"; label files are named in data.options.labels", k.kind, k.value)
		}
	}
	return kinds, nil
}

// derive draws the labels that are to come from the mask, where the image has
// one.
func (d *Dataset) derive(s *data.Sample) error {
	if len(d.derived) == 0 {
		return nil
	}
	truth := s.Truth
	if truth == nil {
		var err error
		if truth, err = d.truth(s.ID); errors.Is(err, data.ErrNoTruth) {
			return nil
		} else if err != nil {
			return err
		}
	}
	if err := truth.CheckRange(d.classes.Len()); err != nil {
		return fmt.Errorf("mask of %s: %w", s.ID, err)
	}
	w, err := weaken.Derive(truth, d.derived, weaken.SeedFor(d.seed, s.ID), weaken.DefaultOptions())
	if err != nil {
		return err
	}
	for _, kind := range d.derived {
		switch kind {
		case data.WeakTags:
			s.Weak.Tags = w.Tags
		case data.WeakPoints:
			s.Weak.Points = w.Points
		case data.WeakScribbles:
			s.Weak.Scribbles = w.Scribbles
		case data.WeakBoxes:
			s.Weak.Boxes = w.Boxes
		}
	}
	return nil
}

// checkedClasses takes the class table of annotations. Names with the signs
// that separate tags in wsss' own files are allowed there.
func checkedClasses(names []string) (data.Classes, error) {
	if len(names) < 2 {
		return data.Classes{}, errors.New("the annotations name no class: list the classes in data.options.names, background first")
	}
	for i, n := range names {
		if strings.TrimSpace(n) == "" {
			return data.Classes{}, fmt.Errorf("class %d has no name", i)
		}
	}
	return data.Classes{Names: slices.Clone(names)}, nil
}

// Annotated is an image with all of its labels, as writers of annotation
// formats take it: outlines where there are some, else boxes. Its size is known.
func (d *Dataset) Annotated(id string) (*annotation.Image, error) {
	if d.notes != nil && !files.IsFile(d.MaskPath(id)) {
		im := d.notes.Image(id)
		if im == nil {
			return nil, nil
		}
		w, h, err := d.annotatedSize(im)
		sized := *im
		sized.W, sized.H = w, h
		return &sized, err
	}
	return nil, nil
}
