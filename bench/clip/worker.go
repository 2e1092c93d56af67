package main

import (
	"fmt"
	"os"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/bench/internal/turns"
	"wsss/configs"
	"wsss/models/backend"
	"wsss/train/clip"
	"wsss/train/multilabel"
)

// classes are VOC's.
const classes = 20

// work prints the seconds and CPU seconds of training steps on a backend, with
// the settings of paper 002 (METHODS §7) and one yes or no per class.
func work(spec, profile string, o options) error {
	b, err := backend.Open(spec)
	if err != nil {
		return err
	}
	cfg := configs.Default().FineTuneCLIP
	cfg.Encoder, cfg.Loss = o.encoder(), "bce"
	net, err := clip.NewNet(b, cfg, classes, 1, nil)
	if err != nil {
		return err
	}
	defer net.Close()
	update, _, err := multilabel.Compile(b, net)
	if err != nil {
		return err
	}
	pixels := make([]float32, o.batch*3*o.size*o.size)
	for i := range pixels {
		pixels[i] = float32(i%255)/128 - 1
	}
	targets, known := make([]float32, o.batch*classes), make([]float32, o.batch*classes)
	for i := range targets {
		known[i] = 1
		if i%7 == 0 {
			targets[i] = 1
		}
	}
	in := []any{tensors.FromFlatDataAndDimensions(pixels, o.batch, 3, o.size, o.size),
		tensors.FromFlatDataAndDimensions(targets, o.batch, classes), tensors.FromFlatDataAndDimensions(known, o.batch, classes)}
	for _, v := range net.Scalars(0, 1000, 100) {
		in = append(in, v)
	}
	return turns.Work(o.steps, profile, func() error {
		out, err := multilabel.Call(update, in...)
		if err == nil {
			fmt.Fprintf(os.Stderr, "%s: loss %v\n", spec, out[0][0])
		}
		return err
	})
}
