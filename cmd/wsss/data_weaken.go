package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"wsss/data"
	"wsss/data/files"
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

// weakenSource is where the masks come from.
type weakenSource struct {
	ids     []string
	classes data.Classes
	truth   func(id string) (*data.LabelMap, error)
}

// weakenFlags are the flags of one call.
type weakenFlags struct {
	*dataFlags
	masks, classes, instances, out, kinds, format string
	seed                                          int64
	opts                                          weaken.Options
}

func runWeaken(ctx context.Context, args []string) error {
	f := &weakenFlags{dataFlags: newDataFlags("data weaken", weakenIntro), opts: weaken.DefaultOptions()}
	f.StringVar(&f.masks, "masks", "", "`folder` of mask PNGs, in place of a dataset")
	f.StringVar(&f.classes, "classes", "", "`file` of class names, one per line, background first; with -masks")
	f.StringVar(&f.instances, "instances", "", "`folder` of PNGs that number the objects (VOC's SegmentationObject); else an object is a connected region")
	f.StringVar(&f.out, "out", "", "`folder` to write the labels to")
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
	err = parallel(ctx, len(records), b.update, func(i int) (err error) {
		records[i], err = f.derive(src, src.ids[i], kinds)
		return err
	})
	if err != nil {
		b.abort()
		return err
	}
	b.finish()
	written, err := f.write(records, kinds, src.classes)
	for _, path := range written {
		fmt.Println(path)
	}
	return err
}

// check checks the flags and reads -kinds.
func (f *weakenFlags) check() ([]data.WeakKind, error) {
	if f.out == "" {
		return nil, usagef("data weaken: -out is missing: name the folder for the labels")
	}
	if !slices.Contains([]string{"csv", "json", "voc"}, f.format) {
		return nil, usagef("data weaken: -format %s: allowed are csv, json, voc", f.format)
	}
	var kinds []data.WeakKind
	for name := range strings.SplitSeq(f.kinds, ",") {
		k := data.WeakKind(strings.TrimSpace(name))
		if k == data.WeakNone || !slices.Contains(data.WeakKinds, k) {
			return nil, usagef("data weaken: -kinds %s: allowed are tags, points, scribbles, boxes", f.kinds)
		}
		kinds = append(kinds, k)
	}
	return kinds, nil
}

// source lists the masks of a folder or of a dataset's splits.
func (f *weakenFlags) source() (*weakenSource, error) {
	if f.masks == "" {
		return f.datasetSource()
	}
	if f.config != "" || f.kind != "" || f.root != "" {
		return nil, usagef("data weaken: -masks takes the place of -config, -kind and -root")
	}
	if f.classes == "" {
		return nil, usagef("data weaken: -masks needs -classes: a file of class names, one per line, background first")
	}
	classes, err := folder.ReadClasses(f.classes)
	if err != nil {
		return nil, err
	}
	paths, err := folder.List(f.masks)
	if err != nil {
		return nil, err
	}
	truth := func(id string) (*data.LabelMap, error) { return data.ReadLabelMap(paths[id]) }
	return &weakenSource{ids: slices.Sorted(maps.Keys(paths)), classes: classes, truth: truth}, nil
}

func (f *weakenFlags) datasetSource() (*weakenSource, error) {
	ds, splits, err := f.open()
	if err != nil {
		return nil, err
	}
	src := &weakenSource{classes: ds.Classes()}
	seen := map[string]bool{}
	for _, split := range splits {
		ids, err := ds.IDs(split)
		if err != nil {
			return nil, usageError{err}
		}
		for _, id := range ids {
			if !seen[id] {
				seen[id] = true
				src.ids = append(src.ids, id)
			}
		}
	}
	src.truth = func(id string) (*data.LabelMap, error) {
		s, err := ds.Load(id, data.WantTruth)
		if err != nil {
			return nil, err
		}
		return s.Truth, nil
	}
	return src, nil
}

// derive makes the labels of one image.
func (f *weakenFlags) derive(src *weakenSource, id string, kinds []data.WeakKind) (folder.Record, error) {
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

// parallel runs f(0..n-1) on every CPU and stops at the first error.
func parallel(ctx context.Context, n int, progress func(done, total int), f func(i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	next, done := 0, 0
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= n || ctx.Err() != nil {
					return
				}
				if err := f(i); err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				done++
				progress(done, n)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
