package clip

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"wsss/configs"
	"wsss/data"
)

// verified is a dataset that tells what was verified to be absent apart from
// what nobody checked, such as Open Images.
type verified interface {
	Labels(id string) (positive, negative []int, err error)
}

// labels are the classes of one image as bits, class c at bit c−1.
type labels struct{ yes, no [4]uint64 }

func (l *labels) has(c int) bool   { return l.yes[(c-1)/64]>>((c-1)%64)&1 == 1 }
func (l *labels) lacks(c int) bool { return l.no[(c-1)/64]>>((c-1)%64)&1 == 1 }

// split is the images of one split with their labels.
type split struct {
	ds      data.Dataset
	ids     []string
	labels  []labels
	classes int // background not counted
}

// readSplit reads the labels of a split: those of a dataset with verified
// absences, or else its tags, which are taken to be all there is to see.
// Under unknown = "absent", what nobody checked counts as absent.
func readSplit(ds data.Dataset, name string, unknown string) (*split, error) {
	ids, err := ds.IDs(name)
	if err != nil {
		return nil, err
	}
	if err := data.CheckWeak(ds, data.WeakTags); err != nil {
		return nil, err
	}
	s := &split{ds: ds, classes: ds.Classes().Len() - 1}
	if s.classes > 256 {
		return nil, fmt.Errorf("dataset %s has %d classes: at most 256 are allowed", ds.Name(), s.classes)
	}
	for _, id := range ids {
		l, err := readLabels(ds, id, s.classes, unknown == "absent")
		if err != nil {
			return nil, err
		}
		s.ids, s.labels = append(s.ids, id), append(s.labels, l)
	}
	if len(s.ids) == 0 {
		return nil, fmt.Errorf("split %q of dataset %s has no images", name, ds.Name())
	}
	return s, nil
}

func readLabels(ds data.Dataset, id string, classes int, closed bool) (labels, error) {
	var l labels
	var present, absent []int
	if v, ok := ds.(verified); ok {
		var err error
		if present, absent, err = v.Labels(id); err != nil {
			return l, err
		}
	} else {
		s, err := ds.Load(id, data.WantWeak)
		if err != nil {
			return l, err
		}
		if s.Weak.Tags == nil {
			return l, fmt.Errorf("image %s of dataset %s has no tags", id, ds.Name())
		}
		present, closed = s.Weak.Tags, true
	}
	for _, c := range slices.Concat(present, absent) {
		if c < 1 || c > classes {
			return l, fmt.Errorf("image %s of dataset %s: label %d: allowed are 1..%d", id, ds.Name(), c, classes)
		}
	}
	for _, c := range present {
		l.yes[(c-1)/64] |= 1 << ((c - 1) % 64)
	}
	for _, c := range absent {
		l.no[(c-1)/64] |= 1 << ((c - 1) % 64)
	}
	if closed {
		for c := 1; c <= classes; c++ {
			if !l.has(c) {
				l.no[(c-1)/64] |= 1 << ((c - 1) % 64)
			}
		}
	}
	return l, nil
}

// usable keeps the images that a loss can learn from: softmax needs a class,
// the others something known.
func (s *split) usable(cfg configs.FineTuneCLIP) (*split, error) {
	kept := &split{ds: s.ds, classes: s.classes}
	for i, l := range s.labels {
		if l.yes != (labels{}).yes || cfg.Loss != "softmax" && l.no != (labels{}).no {
			kept.ids, kept.labels = append(kept.ids, s.ids[i]), append(kept.labels, l)
		}
	}
	if len(kept.ids) < cfg.Batch {
		return nil, fmt.Errorf("%d images with labels: fewer than a batch of %d", len(kept.ids), cfg.Batch)
	}
	return kept, nil
}

// hash identifies the images and their labels.
func (s *split) hash() string {
	h := sha256.New()
	for i, id := range s.ids {
		fmt.Fprintln(h, id, s.labels[i])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
