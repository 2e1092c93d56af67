package main

import (
	"maps"
	"slices"

	"wsss/cmd/pipeline"
	"wsss/data"
	"wsss/data/folder"
)

// maskFlags name label maps: a dataset's true masks, or a folder of PNGs.
type maskFlags struct {
	*dataFlags
	masks, classes string
}

func newMaskFlags(name, intro string) *maskFlags {
	f := &maskFlags{dataFlags: newDataFlags(name, intro)}
	f.StringVar(&f.masks, "masks", "", "`folder` of mask PNGs, in place of a dataset")
	f.StringVar(&f.classes, "classes", "", "`file` of class names, one per line, background first; with -masks")
	return f
}

// maskSource is where masks come from.
type maskSource struct {
	ids     []string
	classes data.Classes
	truth   func(id string) (*data.LabelMap, error)
	image   func(id string) string // path, "" where it is not known
	split   map[string]string      // id → train, val or test, of those that a dataset names
}

// source lists the masks of a folder or of a dataset's splits.
func (f *maskFlags) source() (*maskSource, error) {
	if f.masks == "" {
		return f.datasetSource()
	}
	if f.config != "" || f.kind != "" || f.root != "" {
		return nil, pipeline.Usagef("%s: -masks takes the place of -config, -kind and -root", f.Name())
	}
	if f.classes == "" {
		return nil, pipeline.Usagef("%s: -masks needs -classes: a file of class names, one per line, background first", f.Name())
	}
	classes, err := folder.ReadClasses(f.classes)
	if err != nil {
		return nil, err
	}
	paths, err := folder.List(f.masks)
	if err != nil {
		return nil, err
	}
	return &maskSource{
		ids: slices.Sorted(maps.Keys(paths)), classes: classes,
		truth: func(id string) (*data.LabelMap, error) { return data.ReadLabelMap(paths[id]) },
		image: func(string) string { return "" },
	}, nil
}

func (f *maskFlags) datasetSource() (*maskSource, error) {
	ds, splits, err := f.open()
	if err != nil {
		return nil, err
	}
	src := &maskSource{classes: ds.Classes(), image: ds.ImagePath, split: map[string]string{}}
	for _, split := range []string{"train", "val", "test"} {
		if !slices.Contains(ds.Splits(), split) {
			continue
		}
		ids, err := ds.IDs(split)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			src.split[id] = split
		}
	}
	seen := map[string]bool{}
	for _, split := range splits {
		ids, err := ds.IDs(split)
		if err != nil {
			return nil, pipeline.UsageError{Err: err}
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
