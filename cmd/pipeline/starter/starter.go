// Package starter writes the first config for a folder of photos: it looks at
// what labels are there, and chooses a method that turns them into masks with the
// models of this machine, and a network that it can train.
package starter

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/data"
	"wsss/data/folder"
	"wsss/data/maskcode"
	"wsss/data/words"
	"wsss/models/backend"
)

// KindOf guesses the kind of a dataset by the folders that the published ones
// unpack to.
func KindOf(root string) string {
	has := func(pattern string) bool {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		return err == nil && len(found) > 0
	}
	switch {
	case has("JPEGImages") && (has("ImageSets/Segmentation/*.txt") || has("*.txt") && !has("classes.txt")):
		return "voc"
	case has("annotations/instances_train201[47].json") || has("annotations/instances_val201[47].json"):
		return "coco"
	}
	return "folder"
}

// Starter is what a first config is made of.
type Starter struct {
	Root, Kind, Name string
	Train, Val       string
	Options          []string // lines of [data.options], TOML
	Images, Looked   int      // of the training split; so many were looked at
	Have             map[data.WeakKind]int
	Masks            int // of the images looked at
	Weak             data.WeakKind
	Truth            bool // the validation split has masks
	Supervised       bool // train on the masks
	own              bool // the classes are the folder's own, in a published layout
	Methods          []string
	Models           []string // to be fetched first
	Backbone         string   // the network that the machine can train
	Start            string   // initial weights that are here; "" = none
	GPU              bool
	Found            string   // what the labels are read from
	Notes            []string // for the person
	classes          []string // of -classes, without background
	draw             bool     // the labels are yet to be drawn, in review
}

// mostLooked bounds the images that are looked at for labels, and mostMasks
// those that are looked at for masks.
const (
	mostLooked = 500
	mostMasks  = 40
)

// New looks at a folder of photos: its kind, the form of its labels (weak; "" =
// what most images have) and its classes (none = what the files name).
func New(root, kind string, weak data.WeakKind, classes []string) (*Starter, error) {
	if weak != "" && !slices.Contains(data.WeakKinds, weak) {
		return nil, pipeline.Usagef("-weak %q: allowed are %v", weak, data.WeakKinds)
	}
	full, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	s := &Starter{Root: root, Kind: kind, Name: filepath.Base(full), GPU: backend.HasGPU(), classes: classes}
	ds, err := s.open()
	if err != nil {
		return nil, err
	}
	if err := s.look(ds); err != nil {
		var unknown *data.ColourError
		if errors.As(err, &unknown) {
			err = fmt.Errorf("%w\nWrite %s with a line for each class, as  cat:255,0,0::  (docs/folder.md), and run wsss init again", err, filepath.Join(root, maskcode.LabelmapName))
		}
		return nil, err
	}
	s.Weak = cmp.Or(weak, s.best())
	// VOC 2012 and COCO have masks, too; there weak labels are what is wanted.
	if s.Kind == folder.Kind || s.own || s.Have[s.Weak] == 0 {
		s.useMasks(weak)
	}
	if s.Weak != data.WeakNone && s.Have[s.Weak] == 0 && s.nothingYet() {
		s.draw = true
		return s, s.choose()
	}
	if s.Weak != data.WeakNone && s.Have[s.Weak] == 0 {
		return nil, fmt.Errorf("%s: looked at %s of %s, and none has %s; docs/folder.md and docs/datasets.md tell where they belong", root, words.Plural(s.Looked, "image"), s.Train, s.Weak)
	}
	return s, s.choose()
}

// nothingYet tells that the photos have no label of any form, and classes that
// labels can be drawn of.
func (s *Starter) nothingYet() bool {
	for _, n := range s.Have {
		if n > 0 {
			return false
		}
	}
	return len(s.classes) > 0 && s.Masks == 0 && s.Weak != data.WeakTags
}

// useMasks trains on masks where as many images have them as have labels, or
// draws the labels that are asked for from them.
func (s *Starter) useMasks(asked data.WeakKind) {
	if s.Masks == 0 {
		return
	}
	looked := min(s.Looked, mostMasks)
	s.Supervised = asked == "" && s.Masks*s.Looked >= s.Have[s.Weak]*looked
	if s.Kind == folder.Kind && asked == "" && s.Have[s.Weak] == 0 {
		s.Weak = data.WeakBoxes
	}
	if s.Kind == folder.Kind && s.Weak != data.WeakNone && s.Have[s.Weak] == 0 {
		s.Options = append(s.Options, fmt.Sprintf("%s = \"masks\"    # drawn from the masks", s.Weak))
		s.Have[s.Weak] = s.Masks
	}
	switch {
	case s.Supervised && s.Weak == data.WeakNone:
		s.Notes = append(s.Notes, `the network is trained on the masks (train.labels = "truth")`)
	case s.Supervised:
		s.Notes = append(s.Notes, fmt.Sprintf("the network is trained on the masks (train.labels = \"truth\"); for labels made from %s instead take that line out", s.Weak))
	}
}

// open opens the dataset and finds its splits. A folder without lists of its
// own is divided.
func (s *Starter) open() (data.Dataset, error) {
	if s.Kind == folder.Kind {
		return s.openFolder()
	}
	extra := map[string]any{}
	if names, from, err := s.ownNames(); err != nil {
		return nil, err
	} else if names != nil {
		extra["classes"], s.own = names, true
		s.Options = append(s.Options, fmt.Sprintf("classes = [%s]    # of %s", quoted(names), from))
	}
	ds, err := data.Open(s.Kind, data.Options{Root: s.Root, Seed: 1, Extra: extra})
	if err != nil {
		return nil, err
	}
	s.Train, s.Val = pick(ds, "train_aug", "train2014", "train2017", "train"), pick(ds, "val", "val2014", "val2017")
	if splits := ds.Splits(); s.Train == "" && len(splits) == 1 {
		s.Train = splits[0]
	}
	if s.Train == "" {
		return nil, fmt.Errorf("%s: no split for training among %v: write a config by hand, with data.train_split", s.Root, ds.Splits())
	}
	if s.Val == "" {
		s.Val = s.Train
		s.Notes = append(s.Notes, fmt.Sprintf("there is no list of validation images: scores are of the training images (val_split = %q)", s.Val))
	}
	return ds, nil
}

// pick is the first of the names that is a split.
func pick(ds data.Dataset, names ...string) string {
	for _, n := range names {
		if slices.Contains(ds.Splits(), n) {
			return n
		}
	}
	return ""
}

// quoted lists strings as TOML does.
func quoted(list []string) string {
	q := make([]string, len(list))
	for i, s := range list {
		q[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(q, ", ")
}
