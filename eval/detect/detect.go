// Package detect scores the prompts behind pseudo-labels: a detector's boxes
// as average precision, and the classes that it named per image as the
// classifier's (docs/sources.md §10).
package detect

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/metrics"
	"wsss/eval"
	"wsss/gen"
)

// source is what gen methods call prompts that a detector made.
const source = "detector"

// probe bounds how many sidecars are read to find out that no detector was at
// work.
const probe = 20

// Scores of a folder of pseudo-labels.
type Scores struct {
	Images int
	Boxes  metrics.BoxScores
	// Mean average precision of the classes that were named per image; the
	// score of a class is its best box's, 0 if it has none.
	Tags11, TagsArea, TagsPlain float64
}

// Names of numbers that papers print, too, in Extra.
const (
	BoxesMAP   = "detector mAP, VOC 2010"
	ClassesMAP = "image classes mAP, VOC 2010"
)

// Extra are the numbers as a report shows them.
func (s *Scores) Extra() map[string]eval.Value {
	return map[string]eval.Value{
		"detector AP, COCO":                    eval.Value(s.Boxes.AP),
		"detector AP at overlap 0.5, COCO":     eval.Value(s.Boxes.AP50),
		"detector mAP, VOC 2007":               eval.Value(s.Boxes.VOC07),
		BoxesMAP:                               eval.Value(s.Boxes.VOC10),
		"detector mAP, uninterpolated":         eval.Value(s.Boxes.Uninterpolated),
		"image classes mAP, VOC 2007":          eval.Value(s.Tags11),
		ClassesMAP:                             eval.Value(s.TagsArea),
		"image classes mAP, uninterpolated":    eval.Value(s.TagsPlain),
		"detector recall, 100 boxes per class": eval.Value(s.Boxes.AR100),
		"detector AP of small objects, COCO":   eval.Value(s.Boxes.APSmall),
		"detector AP of medium objects, COCO":  eval.Value(s.Boxes.APMedium),
		"detector AP of large objects, COCO":   eval.Value(s.Boxes.APLarge),
		"detector AP at overlap 0.75, COCO":    eval.Value(s.Boxes.AP75),
		"detector recall, 1 box per class":     eval.Value(s.Boxes.AR1),
		"detector recall, 10 boxes per class":  eval.Value(s.Boxes.AR10),
	}
}

// image is what is compared of one image.
type image struct {
	truth []metrics.TrueBox
	found []metrics.FoundBox
	ok    bool
}

// FromSidecars scores the detector's boxes that dir/<id>.json tells of against
// the boxes of the dataset's annotations. Sizes are the boxes' own. Images
// without a sidecar or without annotated boxes are left out; the result is nil
// if no detector was at work or nothing is left.
func FromSidecars(ctx context.Context, ds data.Dataset, ids []string, dir string, workers int) (*Scores, error) {
	at, err := used(dir, ids)
	if err != nil || !at {
		return nil, err
	}
	images := make([]image, len(ids))
	err = data.ParallelWorkers(ctx, len(ids), data.Workers(workers), nil, func(_, i int) (err error) {
		images[i], err = load(ds, ids[i], dir)
		return err
	})
	if err != nil {
		return nil, err
	}
	return score(images, ds.Classes().Len())
}

// used tells whether one of the first sidecars names a detector.
func used(dir string, ids []string) (bool, error) {
	for _, id := range ids[:min(probe, len(ids))] {
		side, err := sidecar(dir, id)
		if err != nil {
			return false, err
		}
		if side != nil && slices.ContainsFunc(side.Masks, func(m gen.SidecarMask) bool { return m.From.Source == source }) {
			return true, nil
		}
	}
	return false, nil
}

// sidecar reads dir/<id>.json; nil where there is none.
func sidecar(dir, id string) (*gen.Sidecar, error) {
	path, err := files.Join(dir, id+".json")
	if err != nil {
		return nil, err
	}
	side, err := gen.ReadSidecar(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return side, err
}

func load(ds data.Dataset, id, dir string) (image, error) {
	var im image
	side, err := sidecar(dir, id)
	if err != nil || side == nil {
		return im, err
	}
	s, err := ds.Load(id, data.WantWeak)
	if err != nil {
		return im, err
	}
	if s.Weak.Boxes == nil {
		return im, nil
	}
	im.ok = true
	for _, b := range s.Weak.Boxes {
		im.truth = append(im.truth, metrics.TrueBox{Box: b})
	}
	for _, m := range side.Masks {
		if m.From.Source != source || m.From.Box == nil {
			continue
		}
		f := metrics.FoundBox{Box: *m.From.Box, Score: float64(m.From.Score)}
		f.Class = m.From.Class
		if !slices.Contains(im.found, f) { // one box may have led to several masks
			im.found = append(im.found, f)
		}
	}
	return im, nil
}

func score(images []image, classes int) (*Scores, error) {
	boxes, err := metrics.NewDetection(classes)
	if err != nil {
		return nil, err
	}
	tags := make([]metrics.Ranking, classes)
	s := &Scores{}
	for _, im := range images {
		if !im.ok {
			continue
		}
		s.Images++
		if err := boxes.Add(im.truth, im.found); err != nil {
			return nil, err
		}
		best, present := make([]float64, classes), make([]bool, classes)
		for _, f := range im.found {
			best[f.Class] = max(best[f.Class], f.Score)
		}
		for _, t := range im.truth {
			present[t.Class] = true
		}
		for c := 1; c < classes; c++ {
			tags[c].Add(best[c], present[c])
			if present[c] {
				tags[c].AddPositives(1)
			}
		}
	}
	if s.Images == 0 {
		return nil, nil
	}
	s.Boxes = boxes.Scores()
	s.Tags11 = metrics.MeanAP(tags, (*metrics.Ranking).AP11)
	s.TagsArea = metrics.MeanAP(tags, (*metrics.Ranking).APArea)
	s.TagsPlain = metrics.MeanAP(tags, (*metrics.Ranking).AP)
	return s, nil
}
