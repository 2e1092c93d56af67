package multilabel

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"

	"wsss/data"
	"wsss/data/words"
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

// Examples are the images of one split with their labels.
type Examples struct {
	ds      data.Dataset
	IDs     []string
	labels  []labels
	Classes int // background not counted
}

// ReadSplit reads the labels of a split: those of a dataset with verified
// absences, or else its tags, which are taken to be all there is to see.
// Under unknown = "absent", what nobody checked counts as absent. Images without
// tags, not even the word that they hold nothing, are left out.
func ReadSplit(ds data.Dataset, name string, unknown string) (*Examples, error) {
	ids, err := ds.IDs(name)
	if err != nil {
		return nil, err
	}
	if err := data.CheckWeak(ds, data.WeakTags); err != nil {
		return nil, err
	}
	s := &Examples{ds: ds, Classes: ds.Classes().Len() - 1}
	if s.Classes > 256 {
		return nil, fmt.Errorf("dataset %s has %d classes: at most 256 are allowed", ds.Name(), s.Classes)
	}
	for _, id := range ids {
		l, err := readLabels(ds, id, s.Classes, unknown == "absent")
		if errors.Is(err, errUntagged) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s.IDs, s.labels = append(s.IDs, id), append(s.labels, l)
	}
	if len(s.IDs) == 0 && len(ids) > 0 {
		return nil, fmt.Errorf("split %q of dataset %s: no tags in %s", name, ds.Name(), words.Plural(len(ids), "image"))
	}
	if len(s.IDs) == 0 {
		return nil, fmt.Errorf("split %q of dataset %s has no images", name, ds.Name())
	}
	return s, nil
}

// errUntagged is an image that nobody has looked at.
var errUntagged = errors.New("no tags")

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
			return l, errUntagged
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

// HoldOut splits the images in two: a share, chosen by seed and id alone, that
// a training leaves out, and the rest. Share 0 holds out nothing: nil.
func (s *Examples) HoldOut(share float64, seed int64) (held, rest *Examples) {
	n := int(math.Round(share * float64(len(s.IDs))))
	if n == 0 {
		return nil, s
	}
	keys := make([][sha256.Size]byte, len(s.IDs))
	order := make([]int, len(s.IDs))
	for i, id := range s.IDs {
		order[i], keys[i] = i, sha256.Sum256(fmt.Appendf(nil, "%d %s", seed, id))
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(keys[a][:], keys[b][:]) })
	out := make([]bool, len(s.IDs))
	for _, i := range order[:n] {
		out[i] = true
	}
	held, rest = &Examples{ds: s.ds, Classes: s.Classes}, &Examples{ds: s.ds, Classes: s.Classes}
	for i := range s.IDs {
		part := rest
		if out[i] {
			part = held
		}
		part.IDs, part.labels = append(part.IDs, s.IDs[i]), append(part.labels, s.labels[i])
	}
	return held, rest
}

// Each calls f with the photos, several at a time. progress, which may be nil, is
// called one call at a time.
func (s *Examples) Each(ctx context.Context, progress func(done, total int), f func(i int, img image.Image) error) error {
	return data.Parallel(ctx, len(s.IDs), progress, func(i int) error {
		sample, err := s.ds.Load(s.IDs[i], data.WantImage)
		if err != nil {
			return err
		}
		if err := f(i, sample.Image); err != nil {
			return fmt.Errorf("%s: %w", s.IDs[i], err)
		}
		return nil
	})
}

// usable keeps the images that a loss can learn from, which has to be a class
// where the loss needs one, and else anything known.
func (s *Examples) usable(needClass bool) *Examples {
	kept := &Examples{ds: s.ds, Classes: s.Classes}
	for i, l := range s.labels {
		if l.yes != (labels{}).yes || !needClass && l.no != (labels{}).no {
			kept.IDs, kept.labels = append(kept.IDs, s.IDs[i]), append(kept.labels, l)
		}
	}
	return kept
}

// hash identifies the images and their labels.
func (s *Examples) hash() string {
	h := sha256.New()
	for i, id := range s.IDs {
		fmt.Fprintln(h, id, s.labels[i])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
