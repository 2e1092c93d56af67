// Package convert turns the labels of a dataset into other files: labels of any
// tool's format into any other's, and masks into the weak labels that an
// annotator would have given instead.
package convert

import (
	"maps"
	"path"
	"path/filepath"
	"slices"

	"wsss/data"
	"wsss/data/folder"
)

// publishedSplits are the names of splits that other tools know.
var publishedSplits = []string{"train", "val", "test"}

// Masks are label maps with their classes: a dataset's true masks, or a folder
// of PNGs.
type Masks struct {
	IDs     []string
	Classes data.Classes
	Truth   func(id string) (*data.LabelMap, error) // data.ErrNoTruth where there is none
	Image   func(id string) string                  // path, "" where it is not known
	split   map[string]string                       // id → train, val or test, of those that a dataset names
}

// MasksIn are the PNGs of a folder, with a file of class names, one per line,
// background first.
func MasksIn(dir, classesFile string) (*Masks, error) {
	classes, err := folder.ReadClasses(classesFile)
	if err != nil {
		return nil, err
	}
	paths, err := folder.List(dir)
	if err != nil {
		return nil, err
	}
	return &Masks{
		IDs: slices.Sorted(maps.Keys(paths)), Classes: classes,
		Truth: func(id string) (*data.LabelMap, error) { return data.ReadLabelMap(paths[id]) },
		Image: func(string) string { return "" },
	}, nil
}

// MasksOf are the true masks of splits of a dataset.
func MasksOf(ds data.Dataset, splits []string) (*Masks, error) {
	m := &Masks{Classes: ds.Classes(), Image: ds.ImagePath, split: map[string]string{}}
	for _, split := range publishedSplits {
		if !slices.Contains(ds.Splits(), split) {
			continue
		}
		ids, err := ds.IDs(split)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			m.split[id] = split
		}
	}
	var err error
	m.IDs, err = imagesOf(ds, splits)
	m.Truth = func(id string) (*data.LabelMap, error) {
		s, err := ds.Load(id, data.WantTruth)
		if err != nil {
			return nil, err
		}
		return s.Truth, nil
	}
	return m, err
}

// imagesOf lists the images of splits, each once.
func imagesOf(ds data.Dataset, splits []string) (all []string, err error) {
	seen := map[string]bool{}
	for _, split := range splits {
		ids, err := ds.IDs(split)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			if !seen[id] {
				seen[id] = true
				all = append(all, id)
			}
		}
	}
	return all, nil
}

// Split is the split that an image is of: train, val, test, or "".
func (m *Masks) Split(id string) string { return m.split[id] }

// FileName is an image's file as other tools are to find it: below the folder
// of the images, where ids are paths.
func (m *Masks) FileName(id string) string {
	file := m.Image(id)
	if file == "" {
		return id + ".jpg"
	}
	return path.Join(path.Dir(id), filepath.Base(file))
}
