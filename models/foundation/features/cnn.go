package features

import (
	"context"
	"image"
	"strings"

	"github.com/gomlx/compute"

	"wsss/models/imagenet"
)

func init() { register(openCNN) }

// cnn is a classifier of ImageNet up to its pooling.
type cnn struct {
	net    *imagenet.Backbone
	stride int
}

// openCNN takes weights of EfficientNet-Lite and of torchvision's ResNets.
func openCNN(b compute.Backend, path string, o Options) (engine, error) {
	if strings.HasSuffix(path, ".onnx") {
		return nil, errOther
	}
	net, err := imagenet.OpenBackbone(b, path, imagenet.Options{Stride: o.Stride, Shapes: o.MaxShapes})
	if err != nil {
		return nil, err
	}
	return cnn{net, o.Stride}, nil
}

func (c cnn) step() int          { return 32 }
func (c cnn) fixed() image.Point { w, h := c.net.Fixed(); return image.Pt(w, h) }
func (c cnn) Close() error       { return nil }

func (c cnn) run(ctx context.Context, pixels []float32, n, w, h int) ([][]float32, int, int, error) {
	return c.net.Features(ctx, pixels, n, w, h)
}
