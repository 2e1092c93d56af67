package starter

import (
	"errors"
	"fmt"

	"wsss/data"
)

// look counts the labels of images spread over the training split.
func (s *Starter) look(ds data.Dataset) error {
	ids, err := ds.IDs(s.Train)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return fmt.Errorf("%s: split %s has no images", s.Root, s.Train)
	}
	s.Images, s.Looked, s.Have = len(ids), min(len(ids), mostLooked), map[data.WeakKind]int{}
	for i := range s.Looked {
		sample, err := ds.Load(ids[i*len(ids)/s.Looked], data.WantWeak)
		if err != nil {
			return err
		}
		w := sample.Weak
		for kind, n := range map[data.WeakKind]int{data.WeakTags: len(w.Tags), data.WeakPoints: len(w.Points), data.WeakScribbles: len(w.Scribbles), data.WeakBoxes: len(w.Boxes)} {
			if n > 0 {
				s.Have[kind]++
			}
		}
	}
	if s.Masks, err = masksOf(ds, ids); err != nil {
		return err
	}
	val, err := ds.IDs(s.Val)
	if err != nil {
		return err
	}
	n, err := masksOf(ds, val)
	s.Truth = n > 0
	return err
}

// masksOf counts the images with a mask, of a number spread over the list.
func masksOf(ds data.Dataset, ids []string) (n int, err error) {
	looked := min(len(ids), mostMasks)
	for i := range looked {
		switch _, err := ds.Load(ids[i*len(ids)/looked], data.WantTruth); {
		case err == nil:
			n++
		case !errors.Is(err, data.ErrNoTruth):
			return n, err
		}
	}
	return n, nil
}

// best is the form of labels that most images have; of two, the one that
// says more.
func (s *Starter) best() data.WeakKind {
	best := data.WeakNone
	for _, kind := range data.WeakKinds {
		if s.Have[kind] > 0 && s.Have[kind] >= s.Have[best] {
			best = kind
		}
	}
	return best
}
