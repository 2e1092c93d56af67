package exemplars

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/words"
	"wsss/gen"
)

// exemplar is an object that a person put a box around.
type exemplar struct {
	Photo string   `json:"photo"`
	File  string   `json:"file,omitempty"` // SHA-256 of the photo's
	Box   data.Box `json:"box"`
}

func (e exemplar) area() int {
	r := e.Box.Rect()
	return r.Dx() * r.Dy()
}

// Learn studies the boxes of the split. What they look like is computed at each
// start; the list of them is kept beside the labels, which depend on it.
func (m *method) Learn(ctx context.Context, from gen.Lesson) error {
	if err := gen.Learn(ctx, m.cutter, from); err != nil {
		return err
	}
	ids := slices.Compact(slices.Sorted(slices.Values(from.IDs)))
	boxes := make([][]data.Box, len(ids))
	err := data.Parallel(ctx, len(ids), from.Progress, func(i int) error {
		s, err := from.Dataset.Load(ids[i], data.WantWeak)
		if err == nil {
			boxes[i] = gen.Objects(s.Weak.Boxes)
		}
		return err
	})
	if err != nil {
		return err
	}
	list, err := listed(from.Dataset, ids, boxes)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("gen.weak = %q: no box in %s: draw one around an object of each class, on any photo", data.WeakExemplars, words.Plural(len(ids), "photo"))
	}
	if !slices.Equal(list, m.learnt()) { // the processes of a job learn twice
		m.set(nil, "")
		if err := m.study(ctx, from.Dataset, ids, boxes); err != nil {
			return err
		}
	}
	path, err := keep(from.Dir, list)
	if err != nil {
		return err
	}
	m.set(list, path)
	return nil
}

func (m *method) learnt() []exemplar {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.exemplars
}

func (m *method) set(list []exemplar, path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.exemplars, m.path = list, path
}

// listed are the exemplars of photos, in the order of ids.
func listed(ds data.Dataset, ids []string, boxes [][]data.Box) (list []exemplar, err error) {
	for i, some := range boxes {
		if len(some) == 0 {
			continue
		}
		e := exemplar{Photo: ids[i]}
		if e.File, err = gen.PhotoHash(ds, ids[i], files.SHA256); err != nil {
			return nil, err
		}
		for _, e.Box = range some {
			list = append(list, e)
		}
	}
	return list, nil
}

// study lets the finder see the photos that have boxes, in the order of ids.
func (m *method) study(ctx context.Context, ds data.Dataset, ids []string, boxes [][]data.Box) error {
	m.finder.begin()
	first := 0
	for i, some := range boxes {
		if len(some) == 0 {
			continue
		}
		s, err := ds.Load(ids[i], data.WantImage)
		if err != nil {
			return err
		}
		if err := (&data.WeakLabels{Boxes: some}).CheckBoxes(s.Image.Rect.Size(), m.env.Classes); err != nil {
			return fmt.Errorf("labels of %s: %w", ids[i], err)
		}
		masks, err := m.cut(ctx, s, some)
		if err != nil {
			return fmt.Errorf("%s: %w", ids[i], err)
		}
		learnt, err := m.finder.study(ctx, imageproc.FromImage(s.Image), some, masks, first)
		if err != nil {
			return fmt.Errorf("%s: %w", ids[i], err)
		}
		if k := slices.Index(learnt, false); k >= 0 {
			return fmt.Errorf("box %d of %s (%s) shows nothing that could be looked for: make it larger, or leave it out", k+1, ids[i], m.env.Classes.Name(some[k].Class))
		}
		first += len(some)
	}
	return m.finder.ready()
}

// cut makes the masks of a photo's boxes, of no pixels where there is none; nil
// where the finder wants none.
func (m *method) cut(ctx context.Context, s *data.Sample, boxes []data.Box) ([]data.RLE, error) {
	if !m.finder.masked() {
		return nil, nil
	}
	size := s.Image.Rect.Size()
	out := make([]data.RLE, len(boxes))
	made, err := m.cutter.Generate(ctx, &data.Sample{ID: s.ID, Image: s.Image, Weak: data.WeakLabels{Boxes: boxes}})
	for i, b := range boxes {
		out[i] = data.EncodeRLE(make([]uint8, size.X*size.Y), size.X, size.Y)
		for _, mask := range made {
			if mask.From.Box != nil && *mask.From.Box == b {
				out[i] = mask.Bits
			}
		}
	}
	return out, err
}

// prefix of the file that lists exemplars.
const prefix = "exemplars-"

// keep writes the list under a name of its contents, and removes older ones.
func keep(dir string, list []exemplar) (string, error) {
	raw, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	name := prefix + files.SHA256Of(raw)[:16] + ".list"
	path := filepath.Join(dir, name)
	if !files.Exists(path) {
		if err := files.WriteJSON(path, list); err != nil {
			return "", err
		}
	}
	entries, err := files.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && strings.HasSuffix(e.Name(), ".list") && e.Name() != name {
			if err := files.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
				return "", err
			}
		}
	}
	return path, nil
}
