package voc

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wsss/data"
	"wsss/data/folder"
	"wsss/data/weak"
)

// trainAug is the split that SBD adds to: VOC's train and all of SBD's images
// that are not in VOC's val, 10,582 in all (docs/sources.md §9).
const trainAug = "train_aug"

// reserved are text files beside the lists of a bare folder that are no lists.
var reserved = []string{"classes", "labelmap", "README", "readme", "LICENSE"}

// splitAll holds every image of data without lists.
const splitAll = "all"

// Splits lists the names of the split lists; train_aug also where SBD's own
// lists can make it. Without any list there is a split of all images, and
// train and val where data.options.val_fraction makes them.
func (d *Dataset) Splits() []string {
	var names []string
	for _, dir := range d.lists {
		for _, name := range weak.SplitNames(dir) {
			if !slices.Contains(reserved, name) && !(filepath.Base(dir) == filepath.Base(mainDir) && isClassList(name)) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		if names = []string{splitAll}; d.val != 0 {
			names = append(names, "train", "val")
		}
	}
	if d.sbd != "" {
		names = append(names, trainAug)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// isClassList tells the lists of a single class in ImageSets/Main, as
// cat_train.txt.
func isClassList(name string) bool {
	_, split, cut := strings.Cut(name, "_")
	return cut && slices.Contains([]string{"train", "val", "trainval", "test"}, split)
}

// IDs lists a split in the order of its list. Lists hold ids, or image paths
// with or without mask paths; of paths only what is below JPEGImages counts.
func (d *Dataset) IDs(split string) ([]string, error) {
	if !slices.Contains(d.Splits(), split) {
		return nil, &data.SplitError{Split: split, Root: d.root, Allowed: d.Splits(), Note: "lists in " + strings.Join(d.lists, ", ")}
	}
	for _, dir := range d.lists {
		ids, err := d.readList(filepath.Join(dir, split+".txt"))
		if !errors.Is(err, os.ErrNotExist) {
			return ids, err
		}
	}
	if split == trainAug {
		return d.augmented()
	}
	images, err := folder.List(filepath.Join(d.root, imageDir))
	if err != nil {
		return nil, err
	}
	all := slices.Sorted(maps.Keys(images))
	train, val := data.Divide(all, d.val, d.seed)
	return map[string][]string{splitAll: all, "train": train, "val": val}[split], nil
}

func (d *Dataset) readList(path string) ([]string, error) {
	return weak.ReadIDs(path, d.classes.Len(), func(id string) bool { return d.imageFile(id) != "" })
}

// augmented makes train_aug: VOC's train in its order, then SBD's others,
// ascending.
func (d *Dataset) augmented() ([]string, error) {
	ids, err := d.IDs("train")
	if err != nil {
		return nil, err
	}
	val, err := d.IDs("val")
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool, 1<<14)
	for _, id := range slices.Concat(ids, val) {
		seen[id] = true
	}
	var extra []string
	for _, name := range []string{"train.txt", "val.txt"} {
		list, err := d.readList(filepath.Join(d.sbd, name))
		if err != nil {
			return nil, fmt.Errorf("split %s is made of SBD's lists: %w", trainAug, err)
		}
		for _, id := range list {
			if !seen[id] {
				seen[id] = true
				extra = append(extra, id)
			}
		}
	}
	slices.Sort(extra)
	return append(ids, extra...), nil
}
