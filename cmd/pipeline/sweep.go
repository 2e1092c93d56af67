package pipeline

import (
	"context"
	"fmt"
	"strings"

	"wsss/data"
	"wsss/data/metrics"
	"wsss/eval"
	"wsss/gen"
)

// Sweep tries every combination of values and prints them, the best first: by
// mIoU where the split has true masks, else by the signs of quality that need
// none.
func (p *Run) Sweep(ctx context.Context, axes []string, images int, o GenOptions) error {
	if o.Split == "" {
		o.Split = p.Config.Data.TrainSplit
	}
	opts := gen.SweepOptions{
		Config: p.Config, Dataset: p.Dataset, Split: o.Split, Images: images, Versions: Versions(), OutDir: p.Path("sweep"), Hashes: p.hashes,
	}
	for _, text := range axes {
		axis, err := gen.ParseAxis(text)
		if err != nil {
			return UsageError{Err: err}
		}
		opts.Axes = append(opts.Axes, axis)
	}
	needsBackend, err := gen.NeedsBackend(p.Config.Gen)
	if err != nil {
		return UsageError{Err: err}
	}
	if needsBackend {
		if opts.Backend, err = p.OpenBackend(); err != nil {
			return err
		}
	}
	judged := "quality"
	if has, err := p.HasTruth(o.Split); err != nil {
		return err
	} else if has {
		judged = "mIoU"
		opts.Score = func(ctx context.Context, ds data.Dataset, labels string) (float64, error) {
			ids, err := labelledIn(ds, o.Split, labels)
			if err != nil {
				return 0, err
			}
			r, err := eval.Folder(ctx, ds, o.Split, labels, eval.Options{AllowNoTruth: true, IDs: ids, Boot: metrics.Boot{Resamples: -1}}, nil)
			if err != nil {
				return 0, err
			}
			return float64(r.MIoU), nil
		}
	}
	held, err := Hold(p.Path("sweep"))
	if err != nil {
		return err
	}
	defer held.Release()
	var points []gen.SweepPoint
	err = p.Step(ctx, "sweep", func(progress func(done, total int)) (err error) {
		opts.Progress = func(point, points, done, total int) { progress(point*total+done, points*total) }
		points, err = gen.Sweep(ctx, opts)
		return err
	})
	p.saveHashes()
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out(), "%8s  setting\n", judged)
	for _, pt := range points {
		fmt.Fprintf(p.out(), "%8.2f  %s\n", 100*pt.Score, strings.Join(pt.Set, " "))
	}
	return nil
}
