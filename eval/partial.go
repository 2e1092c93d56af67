package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"time"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/metrics"
)

// Partial is the score of one of several parts of a split, as counts of pixels:
// added up they are those of the whole, to the last digit.
type Partial struct {
	Index    int                `json:"index"`
	Count    int                `json:"count"`
	IDs      []string           `json:"ids"` // of the part
	Images   []ImageScore       `json:"images"`
	Missing  int                `json:"missing"`
	Unscored int                `json:"unscored"`
	Binary   binaries           `json:"binary"`
	Total    *metrics.Confusion `json:"total"`
	Boundary *metrics.Boundary  `json:"boundary"` // null unless asked for
	Seconds  float64            `json:"seconds"`
}

// fill takes what a part's result was made of; c holds all counts.
func (p *Partial) fill(r *Result, c *counter, b binaries) {
	if p == nil {
		return
	}
	p.Images, p.Missing, p.Unscored, p.Binary, p.Seconds = r.PerImage, r.Missing, r.Unscored, b, r.Seconds
	p.Total, p.Boundary = c.total, c.boundary
}

// runFile is the name of the file that notes what a part's predictions are of:
// one of its own, as parts are predicted at the same time.
func (p *Partial) runFile() string {
	if p == nil {
		return RunFile
	}
	return fmt.Sprintf("predictions.%d-of-%d.json", p.Index, p.Count)
}

// Write keeps a partial score in a file.
func (p *Partial) Write(path string) error { return files.WriteJSON(path, p) }

// ReadPartial reads what Write wrote.
func ReadPartial(path string) (*Partial, error) {
	raw, err := files.ReadLimited(path, 4*files.MaxRecord)
	if err != nil {
		return nil, err
	}
	var p Partial
	if err := json.Unmarshal(raw, &p); err != nil || p.Total == nil {
		return nil, fmt.Errorf("%s: not a partial score: score the part again", path)
	}
	return &p, nil
}

// Merge adds the parts of a split up to the result that Folder or Predict would
// give of all its ids, Seconds and PerSecond aside. dir is the folder of the
// label maps. The parts are disjoint and together ids; the error tells where not.
func Merge(ds data.Dataset, split, dir string, ids []string, parts []*Partial, opts Options) (*Result, error) {
	opts = opts.withDefaults()
	place := make(map[string]int, len(ids))
	for i, id := range ids {
		place[id] = i
	}
	had := make([]bool, len(ids))
	images := make([]ImageScore, len(ids))
	var counters []*counter
	var masks binaries
	missing, unscored, seconds := 0, 0, 0.0
	for _, p := range parts {
		for _, id := range p.IDs {
			at, known := place[id]
			if !known || had[at] {
				return nil, fmt.Errorf("part %d of %d has the image %s, which is in no split or in another part: score the parts again", p.Index, p.Count, id)
			}
			had[at] = true
		}
		for _, im := range p.Images {
			at, known := place[im.ID]
			if !known || !had[at] {
				return nil, fmt.Errorf("part %d of %d has a score of %s, which is not among its images", p.Index, p.Count, im.ID)
			}
			images[at] = im
		}
		c, err := newCounter(ds.Classes().Len(), opts)
		if err == nil {
			err = c.total.Merge(p.Total)
		}
		if err == nil && c.boundary != nil {
			if p.Boundary == nil {
				err = errors.New("it was scored without eval.boundary")
			} else {
				err = c.boundary.Merge(p.Boundary)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("part %d of %d: %w", p.Index, p.Count, err)
		}
		counters = append(counters, c)
		missing, unscored, seconds = missing+p.Missing, unscored+p.Unscored, seconds+p.Seconds
		masks.Labels, masks.Truth = masks.Labels+p.Binary.Labels, masks.Truth+p.Binary.Truth
	}
	for i, here := range had {
		if !here {
			return nil, fmt.Errorf("no part has the image %s: score the parts again", ids[i])
		}
	}
	r, err := result(ds, split, counters, images, time.Now(), opts)
	if err != nil {
		return nil, err
	}
	r.Missing, r.Unscored, r.Seconds = missing, unscored, seconds
	r.Notes = masks.notes(r, dir)
	return r, nil
}

// MergeRunFiles joins the files in which the parts of a prediction noted their
// photos into the one that a later prediction of the whole looks for.
func MergeRunFiles(dir string, parts []*Partial) error {
	var all runFile
	found := false
	for _, p := range parts {
		one, known, err := readRunFile(dir, p.runFile())
		if err != nil {
			return err
		}
		if !known {
			continue // merged before
		}
		if !found {
			found, all = true, one
			if before, known, err := readRunFile(dir, RunFile); err == nil && known && before.Hash == one.Hash {
				all.Photos = before.Photos
			}
			if all.Photos == nil {
				all.Photos = map[string]string{}
			}
		}
		maps.Copy(all.Photos, one.Photos)
	}
	if !found {
		return nil
	}
	if err := files.WriteJSON(filepath.Join(dir, RunFile), all); err != nil {
		return err
	}
	for _, p := range parts {
		if err := files.Remove(filepath.Join(dir, p.runFile())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
