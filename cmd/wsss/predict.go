package main

import (
	"cmp"
	"context"
	"flag"
	"os"
	"slices"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/cmd/pipeline/predict"
	"wsss/eval/export"
)

func runPredict(ctx context.Context, args []string) error {
	f := newFlags("predict")
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
	f.String("format", "png", "comma-separated `formats`")
	f.StringVar(&n.Scales, "scales", "1", "test-time `scales`, comma-separated; their scores are averaged")
	f.BoolVar(&n.Flip, "flip", false, "also average with the mirrored image")
	f.IntVar(&n.Tile, "tile", 0, "label photos of more than some 3 megapixels (with 21 classes) in overlapping tiles of so many `pixels` a side; 0 = 640, fewer with more than 21 classes")
	f.IntVar(&n.MaxSide, "max-side", 0, "first shrink photos whose long side has more `pixels` to this size, and enlarge the labels")
	f.IntVar(&n.Bucket, "bucket", 0, "photos share compiled networks: their sides go to about multiples of so many `pixels`; 1 = own size, exact; 0 = by engine: 1 on go and xla, 32 on onnx")
	f.Float64Var(&o.Tolerance, "tolerance", predict.DefaultTolerance, "polygons ("+strings.Join(predict.PolygonFormats(), ", ")+"): leave out corners within this many `pixels` of the line; the area stays within 1 %; 0 = exact")
	f.IntVar(&o.MinArea, "min-area", predict.DefaultMinArea, "polygons: leave out regions of fewer `pixels`; where the flag is given also in coco, voc, csv and json, which else hold every region to the pixel")
	f.BoolVar(&n.CRF, "crf", false, "refine with a dense CRF")
	f.StringVar(&f.backend, "backend", "", "`engine`: go, onnx[:cuda|:migraphx|:library], xla:cuda, xla:cpu, xla:plug-in")
	f.BoolVar(&f.quiet, "quiet", false, "no progress bar")
	if err := f.parse(args, 1<<30); err != nil {
		return err
	}
	if n.Checkpoint != "" && m.Name != "" {
		return pipeline.Usagef("predict: both are given: allowed is -checkpoint or -method")
	}
	if n.Checkpoint == "" && m.Name == "" || o.Dir == "" || f.NArg() == 0 {
		return pipeline.Usagef("predict: -checkpoint or -method, -out and at least one image, folder or - are needed; see `wsss predict -h`")
	}
	if err := cmp.Or(checkTolerance("predict", o.Tolerance), f.notNegative("min-area")); err != nil {
		return err
	}
	var err error
	if o.Formats, err = f.listOf("format", export.Formats()); err != nil {
		return err
	}
	if err := predict.Mount(&o.Dir, &n.Checkpoint, f.Args()); err != nil {
		return err
	}
	if err := refuseOthers(f, m.Name != ""); err != nil {
		return err
	}
	f.Visit(func(g *flag.Flag) { o.MinAreaAlways = o.MinAreaAlways || g.Name == "min-area" })
	p := &pipeline.Run{Options: f.options()}
	p.Config.Backend = f.backend
	photos := func(args []string) ([]predict.Photo, error) { return predict.List(args, os.Stdin, p.Warn) }
	if m.Name != "" {
		return m.Label(ctx, p, f.Args(), photos, o)
	}
	return n.Label(ctx, p, f.Args(), photos, o)
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
