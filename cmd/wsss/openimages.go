package main

import (
	"context"
	"fmt"
	"strings"

	"wsss/data/openimages"
)

func init() {
	dataCommands = append(dataCommands, command{name: "openimages", short: "select the classes of VOC or COCO from the Open Images CSV files", run: runOpenImages})
}

const openImagesIntro = `
wsss data openimages reads the official CSV files of Open Images, however
large, and selects the images of VOC's or COCO's classes: which classes each
image holds, and which people verified that it does not hold. It writes a list
for the official downloader, or selects from a folder that is there already.
Interrupted, the same command goes on; finished, it does nothing. Several
splits go into one folder, one call each.

  wsss data openimages -classes voc -split train \
      -labels train-annotations-human-imagelabels.csv -boxes train-annotations-bbox.csv \
      -per-class 2000 -negatives 5000 -out openimages-voc
  python downloader.py openimages-voc/train.images.txt --download_folder=openimages-voc/images
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
	f.BoolVar(&f.quiet, "quiet", false, "no progress bar")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	switch {
	case *out == "":
		return usagef("data openimages: -out is missing: name the folder to write")
	case *bad != "stop" && *bad != "skip":
		return usagef("data openimages: -malformed %s: allowed are stop, skip", *bad)
	}
	opt.Labels, opt.Boxes, opt.SkipBad = labels, boxes, *bad == "skip"
	b := newBar("open images", f.quiet)
	const megabyte = 1 << 20
	opt.Progress = func(done, total int) {
		b.update((done+megabyte-1)/megabyte, (total+megabyte-1)/megabyte)
	}
	m, err := openimages.Build(ctx, *out, opt)
	if err != nil {
		b.abort()
		return err
	}
	if !m.Unchanged {
		b.finish()
	}
	return printSelection(*out, m)
}

func printSelection(out string, m *openimages.Manifest) error {
	classes, err := openimages.Classes(m.Classes)
	if err != nil {
		return err
	}
	fmt.Printf("%-16s %9s %9s\n", "images with", "present", "absent")
	for i, c := range classes {
		fmt.Printf("%-16s %9d %9d\n", c.Name, m.Positive[i], m.Negative[i])
	}
	fmt.Printf("%d images and %d boxes of split %s in %s\n", m.Images, m.Boxes, m.Split, out)
	if n := m.Bad(); n > 0 {
		fmt.Printf("%d malformed rows were skipped, first:\n", n)
		for _, s := range m.Sources {
			for _, line := range s.First {
				fmt.Println("  " + line)
			}
		}
	}
	if m.Missing > 0 {
		fmt.Printf("%d images are not in the folder and were left out\n", m.Missing)
	}
	return nil
}
