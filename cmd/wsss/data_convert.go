package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/data/annotation"
	"wsss/data/convert"
	"wsss/data/folder"
	"wsss/data/words"
)

func convertIntro() string {
	text := `
wsss data convert reads the labels of a dataset, in whatever format a tool wrote
them, and writes them in others: outlines as outlines, boxes as boxes, points,
lines and tags where the format has them.

  wsss data convert -root photos -to coco -out out
  wsss data convert -root export -to yolo -out photos-yolo        ready for yolo train
  wsss data convert -root mixed -set data.options.format=labelme -to cvat,csv -out out
  wsss data convert -kind voc -root VOC2012 -split train -to labelstudio -out out

Read (-set data.options.format=NAME where a folder holds several):
`
	for _, f := range annotation.Formats() {
		text += fmt.Sprintf("  %-12s %s\n", f.Name, f.What)
	}
	text += "\nWritten (-to):\n"
	for _, f := range annotation.Formats() {
		if f.Create != nil {
			text += fmt.Sprintf("  %-12s %s\n", f.Name, f.Writes)
		}
	}
	return text
}

func runConvert(ctx context.Context, args []string) error {
	f := newDataFlags("data convert", convertIntro())
	out := f.String("out", "", "`folder` to write to")
	to := f.String("to", "", "`formats` to write, a list")
	tolerance := f.Float64("tolerance", 0, "thin out polygons made from masks: corners within this many `pixels` of the line are left out")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *out == "" || *to == "" {
		return pipeline.Usagef("data convert: -to and -out are needed, for example -root photos -to coco -out DIR")
	}
	if !(*tolerance >= 0 && *tolerance <= 100) {
		return pipeline.Usagef("data convert: -tolerance %v: allowed are 0..100 pixels", *tolerance)
	}
	if f.config == "" {
		f.kind = cmp.Or(f.kind, folder.Kind)
	}
	ds, splits, err := f.open()
	if err == nil {
		err = checkSplits(ds, splits)
	}
	if err != nil {
		return err
	}
	if err := apart("data convert", f.cfg.Data.Root, *out); err != nil {
		return err
	}
	job := convert.Job{Dataset: ds, Splits: splits, Chosen: len(f.splits) > 0, Dir: *out, Tolerance: *tolerance}
	for name := range strings.SplitSeq(*to, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(annotation.WriterNames(), name) {
			return pipeline.Usagef("data convert: -to %s: allowed are %s", *to, strings.Join(annotation.WriterNames(), ", "))
		}
		job.Formats = append(job.Formats, name)
	}
	var made convert.Result
	err = f.show("convert", func(progress func(done, total int)) (err error) {
		made, err = job.Run(ctx, progress)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s as %s in %s", words.Plural(made.Written, "image"), *to, *out)
	if made.Unlabelled > 0 {
		fmt.Fprintf(stdout, "; %d without any label are left out", made.Unlabelled)
	}
	fmt.Fprintln(stdout)
	return nil
}

// apart refuses a folder to write to that is the one that is read: what is
// written would be read as more labels, and photos twice, the next time.
func apart(command, root, out string) error {
	from, err := os.Stat(root)
	if err != nil {
		return nil // reading it tells
	}
	if to, err := os.Stat(out); err == nil && os.SameFile(from, to) {
		return pipeline.Usagef("%s: -out %s is the folder that is read, and what is written would be read as its labels the next time: choose another folder", command, out)
	}
	return nil
}
