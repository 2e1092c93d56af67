package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/cmd/terminal"
	"wsss/data/openimages"
)

const openImagesIntro = `
wsss data openimages reads the official CSV files of Open Images, however
large, and selects the images of VOC's or COCO's classes: which classes each
image holds, and which people verified that it does not hold. It writes a list of
photos, or selects from a folder that is there already. With -fetch it then
downloads the photos of that list from the public bucket: each is decoded
before it counts, failing servers are asked again, and the same command goes
on after an interruption.
Interrupted, the same command goes on; finished, it does nothing. Several
splits go into one folder, one call each.

  wsss data openimages -classes voc -split train \
      -labels train-annotations-human-imagelabels.csv -boxes train-annotations-bbox.csv \
      -per-class 2000 -negatives 5000 -out openimages-voc
  wsss data openimages -fetch -split train -out openimages-voc
  wsss data openimages -classes voc -split validation -labels validation-annotations-human-imagelabels.csv \
      -images photos/validation -out openimages-voc`

func runOpenImages(ctx context.Context, args []string) error {
	f := newFlags("data openimages", openImagesIntro)
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
	switch {
	case *out == "":
		return pipeline.Usagef("data openimages: -out is missing: name the folder to write")
	case *bad != "stop" && *bad != "skip":
		return pipeline.Usagef("data openimages: -malformed %s: allowed are stop, skip", *bad)
	case *at < 1 || *at > 256:
		return pipeline.Usagef("data openimages: -downloads %d: allowed are 1..256", *at)
	case *fetch && opt.Images != "":
		return pipeline.Usagef("data openimages: -fetch and -images are both given: the photos are there, or they are to come")
	}
	if *fetch && len(labels) == 0 {
		return fetchPhotos(ctx, f, *out, opt.Split, openimages.FetchOptions{From: *from, Workers: *at})
	}
	opt.Labels, opt.Boxes, opt.SkipBad = labels, boxes, *bad == "skip"
	b := terminal.NewBar("open images", f.quiet)
	const megabyte = 1 << 20
	opt.Progress = func(done, total int) {
		b.Update((done+megabyte-1)/megabyte, (total+megabyte-1)/megabyte)
	}
	m, err := openimages.Build(ctx, *out, opt)
	if err != nil {
		b.Abort()
		return err
	}
	if !m.Unchanged {
		b.Finish()
	}
	if err := m.WriteText(stdout, *out); err != nil || !*fetch {
		return err
	}
	return fetchPhotos(ctx, f, *out, opt.Split, openimages.FetchOptions{From: *from, Workers: *at})
}

// fetchPhotos downloads what the list of a split names.
func fetchPhotos(ctx context.Context, f *flags, out, split string, o openimages.FetchOptions) error {
	list := openimages.List(out, split)
	if _, err := os.Stat(list); err != nil {
		return fmt.Errorf("%w: select photos first, with -labels", err)
	}
	var got openimages.Fetched
	err := f.show("download", func(progress func(done, total int)) (err error) {
		o.Progress = progress
		got, err = openimages.Fetch(ctx, list, filepath.Join(out, "images"), o)
		return err
	})
	if err != nil {
		return fmt.Errorf("%w\n%d photos were downloaded and %d were there: the same command goes on", err, got.New, got.Here)
	}
	fmt.Fprintf(stdout, "%d photos downloaded, %d were there already, in %s\n", got.New, got.Here, filepath.Join(out, "images"))
	if n := len(got.Missing); n > 0 {
		fmt.Fprintf(stdout, "%d photos are no longer in the bucket and are left out: %s\n", n, strings.Join(got.Missing[:min(n, 5)], ", "))
	}
	return nil
}
