package main

import (
	"cmp"
	"context"
	"path/filepath"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/cmd/terminal"
	"wsss/data/openimages"
)

func runOpenImages(ctx context.Context, args []string) error {
	f := newFlags("data openimages")
	var opt openimages.Options
	var labels, boxes list
	f.StringVar(&opt.Classes, "classes", "voc", "`dataset` whose classes to select: "+strings.Join(openimages.Kinds, ", "))
	f.StringVar(&opt.Split, "split", "train", "`name` of the split that the files are of: "+strings.Join(openimages.Splits, ", "))
	f.Var(&labels, "labels", "CSV `file` of human-verified image labels; may be repeated")
	f.Var(&boxes, "boxes", "CSV `file` of boxes; may be repeated")
	f.StringVar(&opt.Descriptions, "descriptions", "", "class description `file` to check the class mapping with")
	f.StringVar(&opt.Hierarchy, "hierarchy", "", "class hierarchy `file` (JSON) to check the class mapping with")
	f.StringVar(&opt.Images, "images", "", "select only images that lie in this `folder`")
	f.IntVar(&opt.Sampling.Limit, "limit", 0, "at most so many `images`, in natural proportions; 0 = all")
	f.IntVar(&opt.Sampling.PerClass, "per-class", 0, "balance: up to so many `images` of each class")
	f.IntVar(&opt.Sampling.Negatives, "negatives", 0, "and up to so many `images` of which only absences are known")
	f.Int64Var(&opt.Sampling.Seed, "seed", 1, "`seed` of the choice")
	f.BoolVar(&opt.Depictions, "depictions", false, "boxes of drawings and statues count as the thing")
	bad := f.String("malformed", "stop", "at a malformed row: stop, or `skip` it, count it and name it in the manifest")
	out := f.String("out", "", "`folder` to write")
	fetch := f.Bool("fetch", false, "download the photos of the split's list, which -labels makes first where it is given")
	from := f.String("from", openimages.Bucket, "with -fetch: `address` of the photos, FROM/<split>/<id>.jpg")
	at := f.Int("downloads", 16, "with -fetch: so many `photos` at a time")
	f.BoolVar(&f.quiet, "quiet", false, "no progress bar")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *out == "" {
		return pipeline.Usagef("data openimages: -out is missing: name the folder to write")
	}
	if err := cmp.Or(f.oneOf("classes", openimages.Kinds...), f.oneOf("split", openimages.Splits...), f.oneOf("malformed", "stop", "skip"),
		f.notNegative("limit", "per-class", "negatives")); err != nil {
		return err
	}
	switch {
	case *at < 1 || *at > 256:
		return pipeline.Usagef("data openimages: -downloads %d: allowed are 1..256", *at)
	case *fetch && opt.Images != "":
		return pipeline.Usagef("data openimages: -fetch and -images are both given: the photos are there, or they are to come")
	}
	opt.Labels, opt.Boxes, opt.SkipBad = labels, boxes, *bad == "skip"
	if !*fetch || len(labels) > 0 {
		if err := selectPhotos(ctx, f, *out, opt); err != nil {
			return err
		}
	}
	if !*fetch {
		return nil
	}
	return fetchPhotos(ctx, f, *out, opt.Split, openimages.FetchOptions{From: *from, Workers: *at})
}

// selectPhotos writes the list of a split, its labels and what it was made from.
func selectPhotos(ctx context.Context, f *flags, out string, opt openimages.Options) error {
	b := terminal.NewBar("open images", f.quiet)
	const megabyte = 1 << 20
	opt.Progress = func(done, total int) {
		b.Update((done+megabyte-1)/megabyte, (total+megabyte-1)/megabyte)
	}
	m, err := openimages.Build(ctx, out, opt)
	if err != nil {
		b.Abort()
		return err
	}
	if !m.Unchanged {
		b.Finish()
	}
	return m.WriteText(stdout, out)
}

// fetchPhotos downloads what the list of a split names.
func fetchPhotos(ctx context.Context, f *flags, out, split string, o openimages.FetchOptions) error {
	var got openimages.Fetched
	err := f.show("download", func(progress func(done, total int)) (err error) {
		o.Progress = progress
		got, err = openimages.FetchSplit(ctx, out, split, o)
		return err
	})
	if err == nil {
		got.WriteText(stdout, filepath.Join(out, "images"))
	}
	return err
}
