package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/models/backend"
	"wsss/models/foundation/load"
	"wsss/models/manifest"
)

func runModelsParity(ctx context.Context, args []string) error {
	f, dir := modelsFlags("parity")
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
	engines := strings.Split(*specs, ",")
	for i, spec := range engines {
		engines[i] = strings.TrimSpace(spec)
		if _, err := backend.Check(engines[i]); err != nil {
			return pipeline.Usagef("models parity: -backends: %w", err)
		}
	}
	store, err := manifest.Open(*dir)
	if err != nil {
		return err
	}
	paths, err := store.GraphsOf(ctx, f.Args())
	if errors.Is(err, manifest.ErrUnknown) {
		return pipeline.UsageError{Err: err}
	}
	if err != nil {
		return err
	}
	if backend.FindORT() == "" {
		return fmt.Errorf("models parity compares with ONNX Runtime, which is not found; `wsss doctor` tells where it is looked for")
	}
	return load.WriteParity(ctx, stdout, engines, paths, shapes)
}
