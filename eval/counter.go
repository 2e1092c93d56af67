package eval

import (
	"fmt"
	"slices"
	"time"

	"wsss/data"
	"wsss/data/metrics"
)

// counter is one worker's accumulators.
type counter struct {
	opts     Options
	image    *metrics.Confusion // of the current image
	total    *metrics.Confusion
	boundary *metrics.Boundary
}

func newCounter(classes int, opts Options) (*counter, error) {
	c := &counter{opts: opts}
	var err error
	if c.image, err = metrics.NewConfusion(classes); err != nil {
		return nil, err
	}
	if c.total, err = metrics.NewConfusion(classes); err != nil {
		return nil, err
	}
	if opts.Boundary {
		c.boundary, err = metrics.NewBoundary(classes)
	}
	return c, err
}

// add scores one image. truthName and predName are for errors.
func (c *counter) add(id string, truth, pred *data.LabelMap, truthName, predName string) (ImageScore, error) {
	if truth.Size() != pred.Size() {
		return ImageScore{}, fmt.Errorf("%s is %d×%d but %s is %d×%d: truth and prediction must have the same size",
			predName, pred.W, pred.H, truthName, truth.W, truth.H)
	}
	c.image.Reset()
	if err := c.image.Add(truth.Pix, pred.Pix); err != nil {
		return ImageScore{}, err
	}
	if c.image.OutOfRange() > 0 && !c.opts.AllowOutOfRange {
		return ImageScore{}, fmt.Errorf("%s: %w", predName, pred.CheckRange(c.image.Classes()))
	}
	if err := c.total.Merge(c.image); err != nil {
		return ImageScore{}, err
	}
	if c.boundary != nil {
		if err := c.boundary.Add(truth, pred); err != nil {
			return ImageScore{}, err
		}
	}
	// Per image, both protocols skip classes that are not there at all.
	s := c.image.Scores(metrics.Protocol{Void: c.opts.Protocol.Void})
	return ImageScore{
		ID: id, MIoU: Value(s.MIoU), PixelAcc: Value(s.PixelAcc),
		Undecided: undecided(c.image, s.Pixels, c.opts.Protocol.Void),
		Counts:    c.image.Counts(c.opts.Protocol.Void).Sparse(),
	}, nil
}

// undecided is the share of void predictions among pixels whose truth is a
// class.
func undecided(c *metrics.Confusion, scored uint64, v metrics.Void) Value {
	void := c.VoidPred()
	if v == metrics.VoidDrop {
		scored += void
	}
	if scored == 0 {
		return 0
	}
	return Value(float64(void) / float64(scored))
}

// result merges the workers' counters into the final numbers. images without an id
// have no truth.
func result(ds data.Dataset, split string, counters []*counter, images []ImageScore, start time.Time, opts Options) (*Result, error) {
	all := counters[0]
	for _, c := range counters[1:] {
		if err := all.total.Merge(c.total); err != nil {
			return nil, err
		}
		if c.boundary != nil {
			if err := all.boundary.Merge(c.boundary); err != nil {
				return nil, err
			}
		}
	}
	images = slices.DeleteFunc(images, func(im ImageScore) bool { return im.ID == "" })
	s := all.total.Scores(opts.Protocol)
	r := &Result{
		Name: opts.Name, Kind: opts.Kind, Dataset: ds.Name(), Split: split, Classes: ds.Classes().Names,
		Protocol: opts.Protocol, Images: len(images), PerImage: images,
		MIoU: Value(s.MIoU), PixelAcc: Value(s.PixelAcc), MeanAcc: Value(s.MeanAcc), FWIoU: Value(s.FWIoU),
		IoU: values(s.IoU), Precision: values(s.Precision), Recall: values(s.Recall), Pixels: s.Pixels,
		Undecided: undecided(all.total, s.Pixels, opts.Protocol.Void),
		Confusion: all.total.Matrix(opts.Protocol.Void),
		From:      opts.Provenance, Settings: opts.Settings,
	}
	for _, v := range []metrics.Void{metrics.VoidBackground, metrics.VoidDrop} {
		for _, a := range []metrics.Absent{metrics.NaNMean, metrics.TruthOnly} {
			p := metrics.Protocol{Void: v, Absent: a}
			r.Variants = append(r.Variants, Variant{p, Value(all.total.Scores(p).MIoU)})
		}
	}
	r.Confused = metrics.Pairs(r.Confusion, 20)
	var err error
	if r.Sizes, err = metrics.BySize(r.counts(), len(r.Classes)); err != nil {
		return nil, err
	}
	if all.boundary != nil {
		mean, per, trimap := all.boundary.Scores(opts.Protocol.Absent)
		r.Boundary = &BoundaryScore{Value(mean), values(per), Value(trimap)}
	}
	if opts.Boot.Resamples >= 0 && len(images) > 1 {
		ci, err := metrics.Bootstrap(r.counts(), len(r.Classes), opts.Boot)
		if err != nil {
			return nil, err
		}
		r.CI = &ci
	}
	r.Seconds = time.Since(start).Seconds()
	return r, nil
}
