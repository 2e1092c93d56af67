package main

import (
	"fmt"

	"wsss/models/pretrained"
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
	if err := m.WriteText(stdout, src); err != nil {
		return err
	}
	if refused != nil {
		return fmt.Errorf("%s: train.network.init would refuse it for this network: %w", f.Arg(0), refused)
	}
	fmt.Fprintf(stdout, "train.network.init takes it: %s\n", m)
	return nil
}
