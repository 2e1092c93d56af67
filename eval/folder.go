package eval

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/names"
)

// Folder scores labelsDir/<id>.png against the truth of a split (docs/sources.md §10):
// pseudo-labels, predictions, or another tool's labels. Images are read and
// counted on all CPUs; memory does not grow with their number beyond a few
// counts each.
//
// Errors name the files: absent predictions (how many, and the first ones;
// see AllowMissing), sizes that differ, pixel values outside the classes,
// images without truth.
func Folder(ctx context.Context, ds data.Dataset, split, labelsDir string, opts Options, progress Progress) (*Result, error) {
	start := time.Now()
	opts = opts.withDefaults()
	if opts.Name == "" {
		opts.Name = filepath.Base(labelsDir)
	}
	if opts.Kind == "" {
		opts.Kind = KindAgainst
	}
	ids, err := opts.ids(ds, split)
	if err != nil {
		return nil, err
	}
	paths, absent, err := labelPaths(labelsDir, ids)
	if err != nil {
		return nil, err
	}
	if len(absent) > 0 && !opts.AllowMissing {
		return nil, fmt.Errorf("%s: %d of %d label maps of split %q are missing: %s", labelsDir, len(absent), len(ids), split, firstNames(absent))
	}
	counters := make([]*counter, opts.Workers)
	for i := range counters {
		if counters[i], err = newCounter(ds.Classes().Len(), opts); err != nil {
			return nil, err
		}
	}
	images, masks, err := scoreFiles(ctx, ds, ids, paths, counters, opts, progress)
	if err != nil {
		return nil, err
	}
	r, err := result(ds, split, counters, images, start, opts)
	if err != nil {
		return nil, err
	}
	r.Missing, r.Unscored = len(absent), len(ids)-r.Images
	r.Notes = masks.notes(r, labelsDir)
	opts.Partial.fill(r, counters[0], masks)
	return r, nil
}

// scoreFiles counts the label maps of paths, "" for one that is all background, with a
// counter for each worker. Images without a truth have no score.
func scoreFiles(ctx context.Context, ds data.Dataset, ids, paths []string, counters []*counter, opts Options, progress Progress) (images []ImageScore, masks binaries, err error) {
	images = make([]ImageScore, len(ids))
	coding := data.MaskCoding{Classes: ds.Classes().Len(), Binary: opts.Binary}
	var labels, truths atomic.Int64
	err = data.ParallelWorkers(ctx, len(ids), len(counters), progress, func(worker, i int) error {
		s, err := ds.Load(ids[i], data.WantTruth)
		if errors.Is(err, data.ErrNoTruth) && opts.AllowNoTruth {
			return nil
		}
		if err != nil {
			return err
		}
		pred := data.NewLabelMap(s.Truth.W, s.Truth.H)
		if paths[i] != "" {
			if pred, err = coding.Read(paths[i]); err != nil {
				return err
			}
			if pred.Binary() {
				labels.Add(1)
			}
		}
		if s.Truth.Binary() {
			truths.Add(1)
		}
		images[i], err = counters[worker].add(ids[i], s.Truth, pred, "the truth of "+ids[i], paths[i])
		return err
	})
	return images, binaries{int(labels.Load()), int(truths.Load())}, err
}

// binaries counts masks of only 0 and 255, which may be meant otherwise.
type binaries struct {
	Labels int `json:"labels"`
	Truth  int `json:"truth"`
}

func (b binaries) notes(r *Result, labelsDir string) (notes []string) {
	if b.Labels > 0 {
		notes = append(notes, data.BinaryNote(b.Labels, r.Images, labelsDir)+"; -binary reads them as class 1")
	}
	if b.Truth > 0 {
		notes = append(notes, data.BinaryNote(b.Truth, r.Images, "true masks of split "+r.Split)+"; data.options.binary_masks = true reads them as class 1")
	}
	return notes
}

// labelPaths finds dir/<id>.png, or what another tool calls it (names.Finder);
// absent ones have an empty path and are listed.
func labelPaths(dir string, ids []string) (paths, absent []string, err error) {
	if info, err := files.Stat(dir); err != nil {
		return nil, nil, err
	} else if !info.IsDir() {
		return nil, nil, fmt.Errorf("%s is not a folder of label maps", dir)
	}
	paths = make([]string, len(ids))
	known := make(map[string]bool, len(ids))
	for _, id := range ids {
		known[id] = true
	}
	var finder names.Finder
	for i, id := range ids {
		if _, err := files.Join(dir, id+".png"); err != nil {
			return nil, nil, err
		}
		if paths[i] = finder.Mask(dir, id, "", func(id string) bool { return known[id] }); paths[i] == "" {
			absent = append(absent, id)
		}
	}
	return paths, absent, nil
}

func firstNames(names []string) string {
	const show = 5
	if len(names) <= show {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:show], ", ") + ", …"
}
