package convert

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
	"wsss/data"
	"wsss/data/folder"
	"wsss/data/weaken"
)

// WeakenFormats are the files that weak labels are written as: csv and json for
// the folder dataset, voc those of the published sets.
var WeakenFormats = []string{"csv", "json", "voc"}

// Weaken draws weak labels from masks. The same seed gives the same labels,
// whatever else is in the folder.
type Weaken struct {
	weaken.Options
	Kinds     []data.WeakKind
	Seed      int64
	Instances string // folder of PNGs that number the objects; "" = an object is a connected region
	Dir       string // to write to
	Format    string // of WeakenFormats
	Replace   bool   // labels that are there already and differ
}

// NewWeaken has the defaults.
func NewWeaken() *Weaken { return &Weaken{Options: weaken.DefaultOptions(), Seed: 1, Format: "csv"} }

// OtherLabelsError is a file with labels that differ from those to be written:
// somebody may have drawn them by hand.
type OtherLabelsError struct{ Path string }

func (e *OtherLabelsError) Error() string { return e.Path + " holds other labels" }

// Draw makes the labels of all images that have a mask.
func (w Weaken) Draw(ctx context.Context, masks *Masks, progress func(done, total int)) ([]folder.Record, error) {
	records := make([]folder.Record, len(masks.IDs))
	err := data.Parallel(ctx, len(records), progress, func(i int) (err error) {
		records[i], err = w.derive(masks, masks.IDs[i])
		if errors.Is(err, data.ErrNoTruth) {
			return nil // the record stays empty
		}
		return err
	})
	return slices.DeleteFunc(records, func(r folder.Record) bool { return r.ID == "" }), err
}

// Write writes the labels, and a classes.txt where there is none, and returns
// the paths. Unless Replace is set, other labels in their place are an
// *OtherLabelsError, and nothing is written.
func (w Weaken) Write(records []folder.Record, classes data.Classes) ([]string, error) {
	if !w.Replace {
		if err := w.keepLabels(records, classes); err != nil {
			return nil, err
		}
	}
	return w.writeAll(records, classes)
}

// keepLabels refuses to replace labels that differ from those to be written.
func (w Weaken) keepLabels(records []folder.Record, classes data.Classes) error {
	tmp, err := os.MkdirTemp("", "wsss-weaken-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	trial := w
	trial.Dir = filepath.Join(tmp, filepath.Base(w.Dir)) // VOC's files name their folder
	if _, err := trial.writeAll(records, classes); err != nil {
		return err
	}
	return filepath.WalkDir(trial.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "classes.txt" {
			return err
		}
		rel, err := filepath.Rel(trial.Dir, path)
		if err != nil {
			return err
		}
		there := filepath.Join(w.Dir, rel)
		old, err := os.ReadFile(there)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if made, err := os.ReadFile(path); err != nil || !bytes.Equal(made, old) {
			return errors.Join(err, &OtherLabelsError{there})
		}
		return nil
	})
}

// derive makes the labels of one image.
func (w Weaken) derive(masks *Masks, id string) (folder.Record, error) {
	truth, err := masks.Truth(id)
	if err != nil {
		return folder.Record{}, err
	}
	if err := truth.CheckRange(masks.Classes.Len()); err != nil {
		return folder.Record{}, fmt.Errorf("mask of %s: %w", id, err)
	}
	r := folder.Record{ID: id, W: truth.W, H: truth.H}
	seed := weaken.SeedFor(w.Seed, id)
	if w.Instances == "" {
		r.Weak, err = weaken.Derive(truth, w.Kinds, seed, w.Options)
		return r, err
	}
	path, err := files.Join(w.Instances, filepath.FromSlash(id)+".png")
	if err != nil {
		return r, err
	}
	objects, err := data.ReadLabelMap(path)
	if err != nil {
		return r, err
	}
	if r.Weak, err = weaken.FromInstances(truth, objects, w.Kinds, seed, w.Options); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// writeAll writes the labels and returns what it wrote.
func (w Weaken) writeAll(records []folder.Record, classes data.Classes) ([]string, error) {
	var written []string
	var err error
	switch w.Format {
	case "csv":
		if written, err = folder.WriteCSV(w.Dir, records, classes); err != nil {
			return written, err
		}
	case "json":
		written = []string{filepath.Join(w.Dir, "labels.json")}
		if err := folder.WriteJSON(written[0], records, classes); err != nil {
			return nil, err
		}
	case "voc":
		if written, err = w.writeVOC(records, classes); err != nil {
			return written, err
		}
	}
	// The folder dataset needs the names; a table that is there is kept.
	table := filepath.Join(w.Dir, "classes.txt")
	if _, err := os.Stat(table); !errors.Is(err, fs.ErrNotExist) {
		return written, err
	}
	return append(written, table), files.WriteAtomic(table, func(to io.Writer) error {
		_, err := io.WriteString(to, strings.Join(classes.Names, "\n")+"\n")
		return err
	})
}

func (w Weaken) writeVOC(records []folder.Record, classes data.Classes) ([]string, error) {
	var written []string
	for _, kind := range w.Kinds {
		var path string
		var err error
		switch kind {
		case data.WeakTags:
			path = filepath.Join(w.Dir, "tags.txt")
			err = folder.WriteTagList(path, records)
		case data.WeakPoints:
			path = filepath.Join(w.Dir, "points.json")
			err = folder.WriteClicks(path, records)
		case data.WeakScribbles:
			path = filepath.Join(w.Dir, "scribbles")
			err = writeEach(w.Dir, records, classes, folder.WriteScribbles)
		case data.WeakBoxes:
			path = filepath.Join(w.Dir, "Annotations")
			err = writeEach(w.Dir, records, classes, folder.WriteAnnotation)
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
