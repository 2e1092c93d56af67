package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"wsss/cmd/pipeline"
	"wsss/data"
	"wsss/data/convert"
	"wsss/data/folder"
)

func runWeaken(ctx context.Context, args []string) error {
	f, w := newMaskFlags("data weaken"), convert.NewWeaken()
	f.StringVar(&w.Instances, "instances", "", "`folder` of PNGs that number the objects (VOC's SegmentationObject); else an object is a connected region")
	f.StringVar(&w.Dir, "out", "", "`folder` to write the labels to")
	f.BoolVar(&w.Replace, "replace", false, "replace labels that are in the folder already and differ")
	f.String("kinds", "tags,points,scribbles,boxes", "forms of labels, a `list`")
	f.StringVar(&w.Format, "format", "csv", "file `format`: csv, json or voc")
	f.Int64Var(&w.Seed, "seed", 1, "`seed` of points and scribbles")
	f.IntVar(&w.Points, "points", w.Points, "`clicks` per object")
	f.IntVar(&w.BackgroundPoints, "background-points", w.BackgroundPoints, "`clicks` on the background per image")
	f.IntVar(&w.BackgroundScribbles, "background-scribbles", w.BackgroundScribbles, "`lines` on the background per image")
	f.IntVar(&w.MinArea, "min-area", w.MinArea, "objects below this many `pixels` get no point, scribble or box")
	f.IntVar(&w.MergeArea, "merge-area", w.MergeArea, "pieces below this many `pixels` join the object they are nearest to")
	f.IntVar(&w.MergeGap, "merge-gap", w.MergeGap, "… when at most this many void `pixels` lie between")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if w.Dir == "" {
		return pipeline.Usagef("data weaken: -out is missing: name the folder for the labels")
	}
	if err := cmp.Or(f.oneOf("format", convert.WeakenFormats...),
		f.notNegative("points", "background-points", "background-scribbles", "min-area", "merge-area", "merge-gap")); err != nil {
		return err
	}
	names, err := f.listOf("kinds", []string{"tags", "points", "scribbles", "boxes"})
	if err != nil {
		return err
	}
	for _, name := range names {
		w.Kinds = append(w.Kinds, data.WeakKind(name))
	}
	masks, err := f.source()
	if err != nil {
		return err
	}
	var records []folder.Record
	err = f.show("weaken", func(progress func(done, total int)) (err error) {
		records, err = w.Draw(ctx, masks, progress)
		return err
	})
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return errors.New("data weaken: no image has a mask")
	}
	if n := len(masks.IDs) - len(records); n > 0 {
		fmt.Fprintf(stderr, "%d of %d images have no mask and get no labels\n", n, len(masks.IDs))
	}
	written, err := w.Write(records, masks.Classes)
	for _, path := range written {
		fmt.Fprintln(stdout, path)
	}
	if other := (*convert.OtherLabelsError)(nil); errors.As(err, &other) {
		return pipeline.Usagef("data weaken: %w: name another folder, or say -replace", err)
	}
	return err
}
