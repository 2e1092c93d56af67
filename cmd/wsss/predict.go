package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/cmd/pipeline/predict"
	"wsss/eval/export"
)

func init() {
	register(command{name: "predict", short: "label your own images with a trained network, or by a method without training", run: runPredict})
}

func predictIntro() string {
	return `
wsss predict labels images with a trained network, or without training by a
method of wsss gen. Images are files, folders (searched to the bottom), globs,
or - for a list of paths on standard input.

  wsss predict -checkpoint runs/demo/train/pseudo -out labels photos/
  ls *.jpg | wsss predict -checkpoint net.safetensors -out labels -format png,overlay -
  wsss predict -method grounded-sam -classes "cat,dog" photos/
  wsss predict -method sam -labels boxes.json -out masks photos/
  wsss predict -method grabcut -weak points -format coco photos/
  wsss predict -method exemplars -labels marked/ -out masks photos/

A checkpoint is a file, or a folder of checkpoints, whose last one is used.
A method works from nothing but the names of classes, or from boxes, points,
scribbles or tags: of a file or folder that -labels names, in any format of
docs/folder.md, else of the one folder that holds photos and labels. Photos
that it has no labels of are left out. wsss gen -h lists the methods,
docs/models.md their options (-set gen.options.KEY=VALUE). Exemplars are boxes on a
few photos, of those that are labelled or beside -labels: they find the objects of their
classes on all (docs/exemplars.md).
Images that cannot be read are left out and listed at the end; the exit code is
then 1.

-format coco holds every region to the pixel. Polygons are thinned out by
-tolerance 1 and leave out specks below -min-area 10; -tolerance 0 -min-area 0
keeps them exact. -format yolo has the photos beside the labels, a fifth of them
in val, so that yolo train starts on yolo/data.yaml.

Formats:
` + formatHelp()
}

func formatHelp() string {
	var b strings.Builder
	for _, name := range export.Formats() {
		fmt.Fprintf(&b, "  %-10s %s\n", name, export.Describe(name))
	}
	return b.String()
}

func runPredict(ctx context.Context, args []string) error {
	f := newFlags("predict", predictIntro())
	var n predict.Network
	var m predict.Method
	var o predict.Output
	f.StringVar(&n.Checkpoint, "checkpoint", "", "trained network: a `file`, or a folder of checkpoints")
	f.StringVar(&m.Name, "method", "", "`name` of a method that labels without training, instead of -checkpoint")
	f.StringVar(&m.Classes, "classes", "", "the `names` of the classes for -method, separated by commas, without background; default is what the labels name")
	f.StringVar(&m.Labels, "labels", "", "`file` or folder of the labels that -method works from; default is the folder of the photos")
	f.StringVar(&m.Weak, "weak", "", "the `form` of them: none, tags, points, scribbles, boxes; default is none where the method takes that and there is no -labels, else what says most")
	f.Var((*list)(&m.Set), "set", "with -method: one `key=value` of its config; may be repeated (-set gen.options.sam=sam-vit-h-meta, -set gen.fuse.min_area=50)")
	f.StringVar(&o.Dir, "out", "predictions", "`folder` to write to")
	formats := f.String("format", "png", "comma-separated `formats`")
	scales := f.String("scales", "1", "test-time `scales`, comma-separated; their scores are averaged")
	flip := f.Bool("flip", false, "also average with the mirrored image")
	f.IntVar(&n.Tile, "tile", 0, "label photos of more than some 3 megapixels (with 21 classes) in overlapping tiles of so many `pixels` a side; 0 = 640, fewer with more than 21 classes")
	f.IntVar(&n.MaxSide, "max-side", 0, "first shrink photos whose long side has more `pixels` to this size, and enlarge the labels")
	bucket := f.Int("bucket", 0, "photos share compiled networks: their sides go to about multiples of so many `pixels`; 1 = own size, exact; 0 = by engine: 1 on go and xla, 32 on onnx")
	f.Float64Var(&o.Tolerance, "tolerance", predict.DefaultTolerance, "polygons ("+strings.Join(predict.PolygonFormats(), ", ")+"): leave out corners within this many `pixels` of the line; the area stays within 1 %; 0 = exact")
	f.IntVar(&o.MinArea, "min-area", predict.DefaultMinArea, "polygons: leave out regions of fewer `pixels`; where the flag is given also in coco, voc, csv and json, which else hold every region to the pixel")
	f.BoolVar(&n.CRF, "crf", false, "refine with a dense CRF")
	f.StringVar(&f.backend, "backend", "", "`engine`: go, onnx[:cuda|:migraphx|:library], xla:cuda, xla:cpu, xla:plug-in")
	f.BoolVar(&f.quiet, "quiet", false, "no progress bar")
	if err := f.parse(args, 1<<30); err != nil {
		return err
	}
	if (n.Checkpoint == "") == (m.Name == "") || o.Dir == "" || f.NArg() == 0 {
		return pipeline.Usagef("predict: -checkpoint or -method, -out and at least one image, folder or - are needed; see `wsss predict -h`")
	}
	if err := predict.Mount(&o.Dir, &n.Checkpoint, f.Args()); err != nil {
		return err
	}
	if err := refuseOthers(f, m.Name != ""); err != nil {
		return err
	}
	f.Visit(func(g *flag.Flag) { o.MinAreaAlways = o.MinAreaAlways || g.Name == "min-area" })
	o.Formats = strings.Split(*formats, ",")
	p := &pipeline.Run{Options: f.options()}
	p.Config.Backend = f.backend
	photos := func(args []string) ([]predict.Photo, error) { return predict.List(args, os.Stdin, p.Warn) }
	if m.Name != "" {
		return m.Label(ctx, p, f.Args(), photos, o)
	}
	if err := namedExist([]string{n.Checkpoint}, ""); err != nil {
		return err
	}
	images, err := photos(f.Args())
	if err != nil {
		return err
	}
	if err := predict.KeepPhotos(images, o.Dir, o.Formats); err != nil {
		return err
	}
	if p.Config.Eval.Scales, err = predict.ParseScales(*scales); err != nil {
		return err
	}
	p.Config.Eval.Flip, p.Config.Eval.Bucket = *flip, *bucket
	if err := n.Check(p.Config.Eval); err != nil {
		return err
	}
	return n.Label(ctx, p, images, o)
}

// methodOnly and networkOnly are flags of one of the two ways to label.
var (
	methodOnly  = []string{"weak", "labels", "classes", "set"}
	networkOnly = []string{"scales", "flip", "tile", "max-side", "bucket", "crf"}
)

// refuseOthers refuses flags of the other way to label.
func refuseOthers(f *flags, byMethod bool) (err error) {
	other, way := methodOnly, "-method"
	if byMethod {
		other, way = networkOnly, "-checkpoint"
	}
	f.Visit(func(g *flag.Flag) {
		if slices.Contains(other, g.Name) {
			err = pipeline.Usagef("predict: -%s goes with %s only; see `wsss predict -h`", g.Name, way)
		}
	})
	return err
}
