package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"wsss/cmd/terminal"
	"wsss/data"
	"wsss/data/validate"
	"wsss/data/words"
	"wsss/gen"
)

const validateIntro = `
wsss data validate reads every image, mask and label of a dataset in parallel
and lists all that is wrong: files that are missing or broken, masks of another
size than their image, pixel values that are no class (file, pixel and value),
labels outside the image, images listed twice; and, as warnings, tags and
points that contradict the mask, and masks without an object. It ends with how
often each class occurs. Exit code 1 if there is an error.

  wsss data validate -config configs/demo.toml
  wsss data validate -kind folder -root photos
  wsss data validate -kind folder -root photos -set data.options.masks=truth -split train
  wsss data validate -kind voc -root VOC2012 -split train_aug -split val -masks
  wsss data validate -kind folder -root photos -json | jq '.[].findings[].message'`

func runValidate(ctx context.Context, args []string) error {
	f := newDataFlags("data validate", validateIntro)
	var opts validate.Options
	f.IntVar(&opts.Workers, "workers", 0, "`images` in flight; 0 = one per CPU")
	f.BoolVar(&opts.RequireMasks, "masks", false, "an image without a mask is an error")
	f.BoolVar(&opts.SkipImages, "skip-images", false, "do not decode the images: faster, finds less")
	show := f.Int("show", 100, "print at most this `number` of findings per split; 0 = all that are kept")
	asJSON := f.Bool("json", false, "print the reports as a JSON array")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	ds, splits, err := f.open()
	if lines := (*data.LineErrors)(nil); errors.As(err, &lines) {
		return printLines(stdout, lines)
	}
	if err != nil {
		return err
	}
	faults := 0
	reports := []*validate.Report{}
	for _, split := range splits {
		b := terminal.NewBar("validate "+split, f.quiet)
		opts.Need, opts.CheckID = "", nil
		if f.config != "" && split == f.cfg.Data.TrainSplit {
			opts.Need, opts.CheckID = data.WeakKind(f.cfg.Gen.Weak), gen.CheckID
		}
		r, err := validate.Run(ctx, ds, split, opts, b.Update)
		if err != nil {
			b.Abort()
			return err
		}
		b.Finish()
		reports = append(reports, r)
		faults += r.Errors
		if !*asJSON {
			printReport(stdout, r, *show, opts)
		}
	}
	if *asJSON {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(reports); err != nil {
			return err
		}
	}
	if faults > 0 {
		return fmt.Errorf("the dataset has %s", words.Plural(faults, "error"))
	}
	return nil
}

// printLines lists the bad lines of a label file, without which the dataset
// cannot be opened.
func printLines(w io.Writer, e *data.LineErrors) error {
	for _, line := range e.Lines {
		fmt.Fprintf(w, "%-7s  %s:%s  [labels]\n", validate.Error, e.Path, validate.Printable(line))
	}
	n := len(e.Lines) + e.More
	if e.More > 0 {
		fmt.Fprintf(w, "… %d more\n", e.More)
	}
	return fmt.Errorf("the dataset has %s", words.Plural(n, "error"))
}

func printReport(w io.Writer, r *validate.Report, show int, opts validate.Options) {
	images := fmt.Sprintf("%d readable", r.Images)
	if opts.SkipImages {
		images = "images not read"
	}
	fmt.Fprintf(w, "%s %s: %s, %s, %s\n", r.Dataset, r.Split, words.Plural(r.Samples, "sample"), images, words.Plural(r.Masks, "mask"))
	fmt.Fprintf(w, "images with tags %d, points %d, scribbles %d, boxes %d, masks %d, of %d\n", r.Tags, r.Points, r.Scribbles, r.Boxes, r.Masks, r.Samples)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "class\tname\tpixels\tshare\timages\ttags\tpoints\tscribbles\tboxes\t")
	for _, c := range r.Classes {
		fmt.Fprintf(t, "%d\t%s\t%d\t%s\t%d\t%d\t%d\t%d\t%d\t\n", c.Class, validate.Printable(c.Name), c.Pixels, share(c.Pixels, r.Pixels), c.Images, c.Tags, c.Points, c.Scribbles, c.Boxes)
	}
	fmt.Fprintf(t, "255\tvoid\t%d\t%s\t\t\t\t\t\t\n", r.Void, share(r.Void, r.Pixels))
	t.Flush()
	for i, f := range r.Findings {
		if show > 0 && i == show {
			fmt.Fprintf(w, "… %d more; -show 0 prints all\n", r.Errors+r.Warnings-show)
			break
		}
		fmt.Fprintf(w, "%-7s  %s  [%s]\n", f.Level, f.Message, f.Kind)
	}
	fmt.Fprintf(w, "%s, %s\n\n", words.Plural(r.Errors, "error"), words.Plural(r.Warnings, "warning"))
}

func share(part, whole int64) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f %%", 100*float64(part)/float64(whole))
}
