package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/data"
	"wsss/data/folder"
	"wsss/data/weaken"
)

const weakenIntro = `
wsss data weaken draws the labels that an annotator would have given instead of
masks: image tags, points, scribbles and boxes. The same seed gives the same
labels, whatever else is in the folder. The masks are a dataset's, or a folder
of PNGs with a file of class names.

  wsss data weaken -masks photos/masks -classes photos/classes.txt -out photos
  wsss data weaken -config my.toml -split train -kinds points -points 3 -out labels
  wsss data weaken -kind voc -root VOC2012 -split train -format voc -out weak

What is written, by -format:
  csv    tags.csv points.csv scribbles.csv boxes.csv      for the folder dataset, see docs/folder.md
  json   labels.json                                       the same in one file
  voc    tags.txt (CLIP-ES list), points.json (What's the Point),
         scribbles/*.xml (ScribbleSup, 0-based), Annotations/*.xml (VOC boxes)`

// weakenFlags are the flags of one call.
type weakenFlags struct {
	*maskFlags
	instances, out, kinds, format string
	seed                          int64
	replace                       bool
	opts                          weaken.Options
}

func runWeaken(ctx context.Context, args []string) error {
	f := &weakenFlags{maskFlags: newMaskFlags("data weaken", weakenIntro), opts: weaken.DefaultOptions()}
	f.StringVar(&f.instances, "instances", "", "`folder` of PNGs that number the objects (VOC's SegmentationObject); else an object is a connected region")
	f.StringVar(&f.out, "out", "", "`folder` to write the labels to")
	f.BoolVar(&f.replace, "replace", false, "replace labels that are in the folder already and differ")
	f.StringVar(&f.kinds, "kinds", "tags,points,scribbles,boxes", "forms of labels, a `list`")
	f.StringVar(&f.format, "format", "csv", "file `format`: csv, json or voc")
	f.Int64Var(&f.seed, "seed", 1, "`seed` of points and scribbles")
	f.IntVar(&f.opts.Points, "points", f.opts.Points, "`clicks` per object")
	f.IntVar(&f.opts.BackgroundPoints, "background-points", f.opts.BackgroundPoints, "`clicks` on the background per image")
	f.IntVar(&f.opts.BackgroundScribbles, "background-scribbles", f.opts.BackgroundScribbles, "`lines` on the background per image")
	f.IntVar(&f.opts.MinArea, "min-area", f.opts.MinArea, "objects below this many `pixels` get no point, scribble or box")
	f.IntVar(&f.opts.MergeArea, "merge-area", f.opts.MergeArea, "pieces below this many `pixels` join the object they are nearest to")
	f.IntVar(&f.opts.MergeGap, "merge-gap", f.opts.MergeGap, "… when at most this many void `pixels` lie between")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	kinds, err := f.check()
	if err != nil {
		return err
	}
	src, err := f.source()
	if err != nil {
		return err
	}
	records := make([]folder.Record, len(src.ids))
	b := newBar("weaken", f.quiet)
	err = data.Parallel(ctx, len(records), b.Update, func(i int) (err error) {
		records[i], err = f.derive(src, src.ids[i], kinds)
		if errors.Is(err, data.ErrNoTruth) {
			return nil // the record stays empty
		}
		return err
	})
	if err != nil {
		b.Abort()
		return err
	}
	b.Finish()
	if records, err = withMask(records); err != nil {
		return err
	}
	if !f.replace {
		if err := f.keepLabels(records, kinds, src.classes); err != nil {
			return err
		}
	}
	written, err := f.write(records, kinds, src.classes)
	for _, path := range written {
		fmt.Fprintln(stdout, path)
	}
	return err
}

// keepLabels refuses to replace labels that differ from those to be written:
// somebody may have drawn them by hand.
func (f *weakenFlags) keepLabels(records []folder.Record, kinds []data.WeakKind, classes data.Classes) error {
	tmp, err := os.MkdirTemp("", "wsss-weaken-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	trial := *f
	trial.out = filepath.Join(tmp, filepath.Base(f.out)) // VOC's files name their folder
	if _, err := trial.write(records, kinds, classes); err != nil {
		return err
	}
	return filepath.WalkDir(trial.out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "classes.txt" {
			return err
		}
		rel, err := filepath.Rel(trial.out, path)
		if err != nil {
			return err
		}
		there := filepath.Join(f.out, rel)
		old, err := os.ReadFile(there)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if made, err := os.ReadFile(path); err != nil || !bytes.Equal(made, old) {
			return errors.Join(err, pipeline.Usagef("data weaken: %s holds other labels: name another folder, or say -replace", there))
		}
		return nil
	})
}

// withMask leaves out the empty records of images without a mask, and says how
// many there are.
func withMask(all []folder.Record) ([]folder.Record, error) {
	records := slices.DeleteFunc(slices.Clone(all), func(r folder.Record) bool { return r.ID == "" })
	if len(records) == 0 {
		return nil, errors.New("data weaken: no image has a mask")
	}
	if n := len(all) - len(records); n > 0 {
		fmt.Fprintf(stderr, "%d of %d images have no mask and get no labels\n", n, len(all))
	}
	return records, nil
}

// check checks the flags and reads -kinds.
func (f *weakenFlags) check() ([]data.WeakKind, error) {
	if f.out == "" {
		return nil, pipeline.Usagef("data weaken: -out is missing: name the folder for the labels")
	}
	if !slices.Contains([]string{"csv", "json", "voc"}, f.format) {
		return nil, pipeline.Usagef("data weaken: -format %s: allowed are csv, json, voc", f.format)
	}
	var kinds []data.WeakKind
	for name := range strings.SplitSeq(f.kinds, ",") {
		k := data.WeakKind(strings.TrimSpace(name))
		if k == data.WeakNone || !slices.Contains(data.WeakKinds, k) {
			return nil, pipeline.Usagef("data weaken: -kinds %s: allowed are tags, points, scribbles, boxes", f.kinds)
		}
		kinds = append(kinds, k)
	}
	return kinds, nil
}

// derive makes the labels of one image.
func (f *weakenFlags) derive(src *maskSource, id string, kinds []data.WeakKind) (folder.Record, error) {
	truth, err := src.truth(id)
	if err != nil {
		return folder.Record{}, err
	}
	if err := truth.CheckRange(src.classes.Len()); err != nil {
		return folder.Record{}, fmt.Errorf("mask of %s: %w", id, err)
	}
	r := folder.Record{ID: id, W: truth.W, H: truth.H}
	seed := weaken.SeedFor(f.seed, id)
	if f.instances == "" {
		r.Weak, err = weaken.Derive(truth, kinds, seed, f.opts)
		return r, err
	}
	path, err := files.Join(f.instances, filepath.FromSlash(id)+".png")
	if err != nil {
		return r, err
	}
	objects, err := data.ReadLabelMap(path)
	if err != nil {
		return r, err
	}
	if r.Weak, err = weaken.FromInstances(truth, objects, kinds, seed, f.opts); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// write writes the labels and returns what it wrote.
func (f *weakenFlags) write(records []folder.Record, kinds []data.WeakKind, classes data.Classes) ([]string, error) {
	var written []string
	var err error
	switch f.format {
	case "csv":
		if written, err = folder.WriteCSV(f.out, records, classes); err != nil {
			return written, err
		}
	case "json":
		written = []string{filepath.Join(f.out, "labels.json")}
		if err := folder.WriteJSON(written[0], records, classes); err != nil {
			return nil, err
		}
	case "voc":
		if written, err = f.writeVOC(records, kinds, classes); err != nil {
			return written, err
		}
	}
	// The folder dataset needs the names; a table that is there is kept.
	table := filepath.Join(f.out, "classes.txt")
	if _, err := os.Stat(table); !errors.Is(err, fs.ErrNotExist) {
		return written, err
	}
	return append(written, table), files.WriteAtomic(table, func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Join(classes.Names, "\n")+"\n")
		return err
	})
}

func (f *weakenFlags) writeVOC(records []folder.Record, kinds []data.WeakKind, classes data.Classes) ([]string, error) {
	var written []string
	for _, kind := range kinds {
		var path string
		var err error
		switch kind {
		case data.WeakTags:
			path = filepath.Join(f.out, "tags.txt")
			err = folder.WriteTagList(path, records)
		case data.WeakPoints:
			path = filepath.Join(f.out, "points.json")
			err = folder.WriteClicks(path, records)
		case data.WeakScribbles:
			path = filepath.Join(f.out, "scribbles")
			err = writeEach(f.out, records, classes, folder.WriteScribbles)
		case data.WeakBoxes:
			path = filepath.Join(f.out, "Annotations")
			err = writeEach(f.out, records, classes, folder.WriteAnnotation)
		}
		if err != nil {
			return written, err
		}
		written = append(written, path)
	}
	return written, nil
}

func writeEach(dir string, records []folder.Record, classes data.Classes, write func(string, folder.Record, data.Classes) error) error {
	for _, r := range records {
		if err := write(dir, r, classes); err != nil {
			return err
		}
	}
	return nil
}
