package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/models/onnximport"
)

func runModelsInspect(_ context.Context, args []string) error {
	f := newFlags("models inspect")
	var given list
	f.Var(&given, "shape", "the shape of an input, as `name=1,3,224,224`; may be repeated")
	f.StringVar(&f.config, "config", "", "for a weight file: the run's TOML `file`, whose network to compare with; default is DeepLab-v2")
	f.Var(&f.set, "set", "for a weight file: override one key, as `key=value`; may be repeated")
	classes := f.Int("classes", 21, "for a weight file: classes of the network, background included")
	f.configOptional = true
	if err := f.parse(args, 1); err != nil {
		return err
	}
	if f.NArg() != 1 {
		return pipeline.Usagef("models inspect: the FILE is missing")
	}
	if !strings.EqualFold(filepath.Ext(f.Arg(0)), ".onnx") {
		return inspectWeights(f, *classes)
	}
	shapes, err := parseShapes("models inspect", given)
	if err != nil {
		return err
	}
	m, err := onnximport.Open(f.Arg(0), onnximport.Options{})
	if err != nil {
		return err
	}
	defer m.Close()
	for name := range shapes {
		if !slices.ContainsFunc(m.Inputs(), func(p onnximport.Port) bool { return p.Name == name }) {
			return pipeline.Usagef("models inspect: -shape %s: the model has no such input", name)
		}
	}
	r := m.Inspect(shapes)
	r.Write(stdout)
	return nil
}

// parseShapes reads the shapes of inputs.
func parseShapes(command string, given []string) (map[string][]int, error) {
	shapes, err := onnximport.ParseShapes(given)
	if err != nil {
		return nil, pipeline.Usagef("%s: -shape %w", command, err)
	}
	return shapes, nil
}
