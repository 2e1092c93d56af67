package main

import (
	"cmp"
	"context"

	"wsss/cmd/pipeline"
	"wsss/cmd/pipeline/predict"
	"wsss/data/convert"
	"wsss/data/folder"
	"wsss/eval/export"
)

func runExport(ctx context.Context, args []string) error {
	f := newMaskFlags("data export")
	out := f.String("out", "", "`folder` to write to")
	formats := f.String("format", "", "`formats`, a list")
	images := f.String("images", "", "`folder` of the images, for overlays and file names; with -masks")
	var opts export.Options
	f.IntVar(&opts.MinArea, "min-area", 0, "regions below this many `pixels` are left out of COCO and polygons")
	f.Float64Var(&opts.Tolerance, "tolerance", 0, "thin out polygons: corners within this many `pixels` of the line are left out, the area stays within 1 %")
	f.Float64Var(&opts.Opacity, "opacity", 0.5, "`opacity` of the classes in overlays, above 0 to 1")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *out == "" || *formats == "" {
		return pipeline.Usagef("data export: -out and -format are needed, for example -format coco -out DIR")
	}
	if !(opts.Opacity > 0 && opts.Opacity <= 1) {
		return pipeline.Usagef("data export: -opacity %v: allowed are numbers above 0, up to 1", opts.Opacity)
	}
	if err := cmp.Or(checkTolerance("data export", opts.Tolerance), f.notNegative("min-area")); err != nil {
		return err
	}
	src, err := f.source()
	if err != nil {
		return err
	}
	if *images != "" {
		paths, err := folder.List(*images)
		if err != nil {
			return err
		}
		src.Image = func(id string) string { return paths[id] }
	}
	names, err := f.listOf("format", export.Formats())
	if err != nil {
		return err
	}
	if root := f.cfg.Data.Root; f.masks == "" && root != "" {
		if err := (convert.Job{Dir: *out}).Apart(root); err != nil {
			return pipeline.Usagef("data export: -out %w", err)
		}
	}
	if err := predict.KeepPhotos(predict.PhotosOf(src.IDs, src.Image), *out, names); err != nil {
		return err
	}
	return f.show("export", func(progress func(done, total int)) error { return export.Masks(ctx, src, names, *out, opts, progress) })
}
