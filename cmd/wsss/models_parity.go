package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/models/backend"
	"wsss/models/foundation/load"
	"wsss/models/manifest"
)

func runModelsParity(ctx context.Context, args []string) error {
	f, dir := modelsFlags("parity", `
wsss models parity runs models with made-up inputs on each backend and through
ONNX Runtime on the original file, and prints a table of the differences: the
largest error relative to the largest value, the IoU of masks, and the time of
a second run. Models are those of the list that are here, or ONNX files.

  wsss models parity tiny-sam
  wsss models parity -backends go,onnx weights/encoder.onnx
  wsss models parity -shape images=1,3,512,512 segmenter.onnx`)
	specs := f.String("backends", "go,onnx", "`engines` to compare, separated by commas")
	var given list
	f.Var(&given, "shape", "the shape of an input, as `name=1,3,224,224`; may be repeated. Open dimensions are guessed, 64 for sides")
	if err := f.parse(args, 1<<10); err != nil {
		return err
	}
	shapes, err := parseShapes("models parity", given)
	if err != nil {
		return err
	}
	if f.NArg() == 0 {
		return pipeline.Usagef("models parity: name models or ONNX files")
	}
	store, err := manifest.Open(*dir)
	if err != nil {
		return err
	}
	var paths []string
	for _, name := range f.Args() {
		more, err := store.Graphs(ctx, name)
		if errors.Is(err, manifest.ErrUnknown) {
			return pipeline.UsageError{Err: err}
		}
		if err != nil {
			return err
		}
		paths = append(paths, more...)
	}
	if backend.FindORT() == "" {
		return fmt.Errorf("models parity compares with ONNX Runtime, which is not found; `wsss doctor` tells where it is looked for")
	}
	fmt.Fprintln(stdout, "| model | backend | output | relative error | mask IoU | ms | ONNX Runtime, ms |\n|---|---|---|---|---|---|---|")
	worst := 0.0
	for _, spec := range strings.Split(*specs, ",") {
		b, err := backend.Open(spec)
		if err != nil {
			return err
		}
		for _, path := range paths {
			run, err := load.Compare(ctx, b, path, 1, shapes)
			if err != nil {
				return err
			}
			for _, o := range run.Outputs {
				iou := ""
				if !math.IsNaN(o.IoU) {
					iou = fmt.Sprintf("%.5f", o.IoU)
				}
				note := ""
				if run.Whole {
					note = " (whole)"
				}
				fmt.Fprintf(stdout, "| %s | %s%s | %s | %.1e | %s | %.1f | %.1f |\n", filepath.Base(path), spec, note, o.Output, o.Error, iou,
					run.Ours.Seconds()*1e3, run.ORT.Seconds()*1e3)
				if !(o.Error <= worst) {
					worst = o.Error
				}
			}
		}
	}
	if !(worst <= 1e-3) {
		return fmt.Errorf("the largest relative error is %.1e: at most 1e-3 was expected", worst)
	}
	return nil
}
