package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/cmd/pipeline/predict"
	"wsss/data"
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
		src.image = func(id string) string { return paths[id] }
	}
	var photos []predict.Photo
	for _, id := range src.ids {
		if path := src.image(id); path != "" {
			photos = append(photos, predict.Photo{Path: path, ID: id})
		}
	}
	if err := predict.KeepPhotos(photos, *out, strings.Split(*formats, ",")); err != nil {
		return err
	}
	opts.FileName, opts.Photo = src.fileName, src.image
	opts.Split = func(id string) string { return src.split[id] }
	var writers []export.Writer
	overlay := false
	for name := range strings.SplitSeq(*formats, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(export.Formats(), name) {
			return pipeline.Usagef("data export: -format %s: allowed are %s", *formats, strings.Join(export.Formats(), ", "))
		}
		overlay = overlay || name == "overlay"
		w, err := export.OpenWith(name, *out, src.classes, opts)
		if err != nil {
			return errors.Join(err, closeAll(writers))
		}
		writers = append(writers, w)
	}
	b := newBar("export", f.quiet)
	err = data.Parallel(ctx, len(src.ids), b.Update, func(i int) error { return src.export(src.ids[i], writers, overlay) })
	if err = errors.Join(err, closeAll(writers)); err != nil {
		b.Abort()
		return err
	}
	b.Finish()
	return nil
}

func closeAll(writers []export.Writer) (err error) {
	for _, w := range writers {
		err = errors.Join(err, w.Close())
	}
	return err
}

// fileName is an image's file as other tools are to find it: below the folder
// of the images, where ids are paths.
func (src *maskSource) fileName(id string) string {
	file := src.image(id)
	if file == "" {
		return id + ".jpg"
	}
	return path.Join(path.Dir(id), filepath.Base(file))
}

// export adds one label map to every writer.
func (src *maskSource) export(id string, writers []export.Writer, overlay bool) error {
	label, err := src.truth(id)
	if err != nil {
		return err
	}
	var img *image.NRGBA
	if overlay {
		file := src.image(id)
		if file == "" {
			return fmt.Errorf("%s has no image: overlays need -images DIR with an image of the same name", id)
		}
		if img, err = data.ReadImage(file); err != nil {
			return err
		}
	}
	for _, w := range writers {
		if err := w.Add(id, img, label); err != nil {
			return err
		}
	}
	return nil
}
