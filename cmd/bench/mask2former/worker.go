package mask2former

import (
	"context"
	"fmt"
	"image"
	"os"
	"runtime"

	"github.com/gomlx/gomlx/ml/model"

	"wsss/cmd/bench/internal/steps"
	"wsss/data"
	"wsss/models"
	"wsss/models/backend"
	"wsss/train"
)

// step is what a worker times on a backend.
func (o *options) step(spec string) (step func() error, err error) {
	if spec, err = o.threaded(spec); err != nil {
		return nil, err
	}
	classes := steps.Names(o.pictures, o.classes)
	if o.forward {
		return o.label(spec, classes)
	}
	t := o.train
	t.Batch, t.Accumulate, t.Crop, t.ScaleRange, t.ScaleBy, t.Scales = o.Batch, 1, o.size, nil, "", []float64{1}
	t.Init, t.EMA, t.Recompute = "", 0, o.recompute // PyTorch's step keeps no average
	t.Iterations = o.Steps.Steps + 1                // one warms up
	o.training, step, err = steps.New(spec, o.pictures, classes, t)
	return step, err
}

// threaded is the backend with as many threads as -threads says.
func (o *options) threaded(spec string) (string, error) {
	switch {
	case o.threads == 0:
		return spec, nil
	case spec == "onnx":
		spec = fmt.Sprintf("onnx:%s,intra_op_num_threads=%d", backend.FindORT(), o.threads)
	case spec != "go":
		return "", fmt.Errorf("-threads is for torch, onnx and go, not %s", spec)
	}
	runtime.GOMAXPROCS(o.threads)
	return spec, nil
}

// label labels a picture, cut to the size.
func (o *options) label(spec string, classes data.Classes) (func() error, error) {
	b, err := backend.Open(spec)
	if err != nil {
		return nil, err
	}
	net, err := models.NewSegmenter(o.train, classes.Len())
	if err != nil {
		return nil, err
	}
	p, err := train.NewPredictor(b, net, model.NewStore(), o.train.Input, train.PredictOptions{Bucket: 1})
	if err != nil {
		return nil, err
	}
	ids, err := o.pictures.IDs("train")
	if err != nil {
		return nil, err
	}
	s, err := o.pictures.Load(ids[0], data.WantImage)
	if err != nil {
		return nil, err
	}
	picture := *s.Image
	picture.Rect.Max = picture.Rect.Min.Add(image.Pt(o.size, o.size))
	return func() error {
		labels, err := p.Predict(context.Background(), &picture)
		if err == nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", spec, labels.Size())
		}
		return err
	}, nil
}

// done clears away a training.
func (o *options) done() error {
	if o.training == nil {
		return nil
	}
	return o.training.Done()
}
