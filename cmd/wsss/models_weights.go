package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"wsss/models/pretrained"
	"wsss/models/weights"
	"wsss/models/weights/formats"
)

// inspectWeights shows what train.network.init would do with a weight file.
func inspectWeights(f *flags, classes int) error {
	cfg, err := f.load()
	if err != nil {
		return err
	}
	src, err := formats.Open(f.Arg(0))
	if err != nil {
		return err
	}
	defer src.Close()
	m, refused := pretrained.Describe(cfg.Train, classes, src)
	if err := writeMapping(stdout, src, m); err != nil {
		return err
	}
	if refused != nil {
		return fmt.Errorf("%s: train.network.init would refuse it for this network: %w", f.Arg(0), refused)
	}
	fmt.Fprintf(stdout, "train.network.init takes it: %s\n", m)
	return nil
}

// writeMapping lists every tensor of the file and every variable without one.
func writeMapping(w io.Writer, src weights.Source, m weights.Mapping) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "tensor\tshape\tvariable")
	for _, p := range m.Pairs {
		fmt.Fprintf(t, "%s\t%v\t%s\n", p.Tensor, p.Shape, p.Variable)
	}
	for _, p := range m.Differ {
		fmt.Fprintf(t, "%s\t%v\tnot %s, which has another shape\n", p.Tensor, p.Shape, p.Variable)
	}
	for _, name := range m.Unused {
		shape, err := src.Shape(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(t, "%s\t%v\tunused\n", name, shape)
	}
	for _, name := range m.Missing {
		fmt.Fprintf(t, "not in the file\t\t%s\n", name)
	}
	return t.Flush()
}
