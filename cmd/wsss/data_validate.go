package main

import (
	"context"
	"errors"
	"fmt"

	"wsss/cmd/pipeline"
	"wsss/data"
	"wsss/data/validate"
	"wsss/data/words"
	"wsss/gen"
)

func runValidate(ctx context.Context, args []string) error {
	f := newDataFlags("data validate")
	var opts validate.Options
	f.IntVar(&opts.Workers, "workers", 0, "`images` in flight; 0 = one per CPU")
	f.BoolVar(&opts.RequireMasks, "masks", false, "an image without a mask is an error")
	f.BoolVar(&opts.SkipImages, "skip-images", false, "do not decode the images: faster, finds less")
	show := f.Int("show", 100, "print at most this `number` of findings per split; 0 = all that are kept")
	asJSON := f.Bool("json", false, "print the reports as a JSON array")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if err := f.notNegative("workers", "show"); err != nil {
		return err
	}
	ds, splits, err := f.open()
	if lines := (*data.LineErrors)(nil); errors.As(err, &lines) {
		return datasetErrors(validate.WriteLines(stdout, lines))
	}
	if err != nil {
		return err
	}
	if f.config != "" {
		ds = pipeline.Corrected(f.cfg, ds)
	}
	faults := 0
	reports := []*validate.Report{}
	for _, split := range splits {
		opts.Need, opts.Truth, opts.CheckID = "", false, nil
		if f.config != "" && split == f.cfg.Data.TrainSplit {
			opts.Need, opts.Truth, opts.CheckID = data.WeakKind(f.cfg.Gen.Weak), f.cfg.Train.Labels == "truth", gen.CheckID
		}
		var r *validate.Report
		err := f.show("validate "+split, func(progress func(done, total int)) (err error) {
			r, err = validate.Run(ctx, ds, split, opts, progress)
			return err
		})
		if err != nil {
			return err
		}
		reports = append(reports, r)
		faults += r.Errors
		if !*asJSON {
			r.WriteText(stdout, *show, opts)
		}
	}
	if *asJSON {
		if err := validate.WriteJSON(stdout, reports); err != nil {
			return err
		}
	}
	return datasetErrors(faults)
}

// datasetErrors is the error of a dataset with so many.
func datasetErrors(n int) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("the dataset has %s", words.Plural(n, "error"))
}
