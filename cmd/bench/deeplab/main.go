// Package deeplab times training steps of DeepLab ResNet-101 on the backends
// of wsss, by train's own training with its loader, and in PyTorch (forward,
// backward, SGD), and prints seconds per image, peak memory and the ratios to
// the first PyTorch engine. Every engine runs in a
// process of its own, one at a time, in turns, so that a machine that slows
// down for a while does so for all.
//
//	go run ./cmd/bench deeplab [-arch deeplab-v2] [-msc] [-size 321] [-batch 2] [-steps 2] [-rounds 2] [-engines torch,onnx,go]
//	    [-width 1] [-precision bf16] [-recompute 4]
//
// Engines are backends (go, onnx, xla:cuda, …) and PyTorch: torch (CPU, float32),
// torch-channels-last, torch-compile (the same, compiled), torch-cuda (bf16 autocast, channels last), torch-cuda-compile (also compiled).
package deeplab

import (
	"flag"
	"fmt"
	"strconv"

	"wsss/cmd/bench/internal/interleave"
	"wsss/cmd/bench/internal/steps"
)

type options struct {
	interleave.Steps
	arch      string
	msc       bool
	size      int
	width     float64
	precision string // of wsss
	recompute int    // of wsss
	devices   int    // of wsss

	dir      string // of a worker's pictures
	training *steps.Training
}

// args are the options of the network as another process takes them.
func (o *options) args() []string {
	return []string{"-arch", o.arch, fmt.Sprintf("-msc=%v", o.msc), "-size", strconv.Itoa(o.size),
		"-width", fmt.Sprint(o.width), "-precision", o.precision, "-recompute", strconv.Itoa(o.recompute), "-devices", strconv.Itoa(o.devices)}
}

// Main is the command.
func Main() {
	o := options{Steps: interleave.Steps{Name: "bench deeplab", Script: "cmd/bench/deeplab/step.py", Digits: 2}}
	flag.StringVar(&o.arch, "arch", "deeplab-v2", "deeplab-v2 or deeplab-v3plus")
	flag.BoolVar(&o.msc, "msc", false, "train on three scales and their maximum (v2)")
	flag.IntVar(&o.size, "size", 321, "image side, pixels")
	flag.Float64Var(&o.width, "width", 1, "channel multiplier of the networks")
	flag.StringVar(&o.precision, "precision", "", "train.compute.precision of wsss; PyTorch on a GPU always has bf16 autocast")
	flag.IntVar(&o.recompute, "recompute", 0, "train.compute.recompute of wsss")
	flag.IntVar(&o.devices, "devices", 1, "train.compute.devices of wsss")
	o.AddFlags(2)
	flag.Parse()
	o.Main(interleave.Job{
		Title: fmt.Sprintf("%s ResNet-101 training step (MSC %v), %d×%d", o.arch, o.msc, o.size, o.size),
		Args:  o.args(),
		Step:  o.step,
		Done:  o.done,
	})
}
