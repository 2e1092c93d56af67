package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/cmd/pipeline/predict"
	"wsss/data/folder"
	"wsss/eval/export"
)

func exportIntro() string {
	text := `
wsss data export turns label maps (pseudo-labels that gen wrote, predictions,
or a dataset's masks) into the files of other tools. Regions are exact to the
pixel; polygons reach holes over a bridge of no width, so that the area under
them is the region's (-tolerance 1 makes them short, the area within 1 %). A
stopped run goes on where it was; more images can be added to the same folder
later.

  wsss data export -masks runs/my/gen -classes photos/classes.txt -images photos/images -format coco,cvat -out out
  wsss data export -kind folder -root photos -format yolo -out photos-yolo
  wsss data export -config my.toml -split val -format overlay -out look

Formats:
`
	for _, name := range export.Formats() {
		text += fmt.Sprintf("  %-8s %s\n", name, export.Describe(name))
	}
	return text
}

func runExport(ctx context.Context, args []string) error {
	f := newMaskFlags("data export", exportIntro())
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
	var photos []predict.Photo
	for _, id := range src.IDs {
		if path := src.Image(id); path != "" {
			photos = append(photos, predict.Photo{Path: path, ID: id})
		}
	}
	if err := predict.KeepPhotos(photos, *out, strings.Split(*formats, ",")); err != nil {
		return err
	}
	var names []string
	for name := range strings.SplitSeq(*formats, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(export.Formats(), name) {
			return pipeline.Usagef("data export: -format %s: allowed are %s", *formats, strings.Join(export.Formats(), ", "))
		}
		names = append(names, name)
	}
	return f.show("export", func(progress func(done, total int)) error { return export.Masks(ctx, src, names, *out, opts, progress) })
}
