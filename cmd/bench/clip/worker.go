package clip

import (
	"fmt"
	"os"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/configs"
	"wsss/models/backend"
	"wsss/train/clip"
	"wsss/train/multilabel"
)

// classes are VOC's.
const classes = 20

// step compiles the training step on a backend, with the settings of box2024
// (docs/sources.md §7) and one yes or no per class.
func (o *options) step(spec string) (func() error, error) {
	b, err := backend.Open(spec)
	if err != nil {
		return nil, err
	}
	cfg := configs.Default().FineTuneCLIP
	cfg.Encoder, cfg.Loss = o.encoder(), "bce"
	net, err := clip.NewNet(b, cfg, classes, 1, nil)
	if err != nil {
		return nil, err
	}
	update, _, err := multilabel.Compile(b, net, nil)
	if err != nil {
		return nil, err
	}
	pixels := make([]float32, o.Batch*3*o.size*o.size)
	for i := range pixels {
		pixels[i] = float32(i%255)/128 - 1
	}
	targets, known := make([]float32, o.Batch*classes), make([]float32, o.Batch*classes)
	for i := range targets {
		known[i] = 1
		if i%7 == 0 {
			targets[i] = 1
		}
	}
	images := tensors.FromFlatDataAndDimensions(pixels, o.Batch, 3, o.size, o.size)
	t, k := tensors.FromFlatDataAndDimensions(targets, o.Batch, classes), tensors.FromFlatDataAndDimensions(known, o.Batch, classes)
	batch, err := update.Place(images, t, k)
	if err != nil {
		return nil, err
	}
	return func() error {
		loss, _, err := update.Run(batch, net.Scalars(0, 1000, 100))
		if err == nil {
			fmt.Fprintf(os.Stderr, "%s: loss %v\n", spec, loss)
		}
		return err
	}, nil
}
