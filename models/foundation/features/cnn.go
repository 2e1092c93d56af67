package features

import (
	"cmp"
	"context"
	"image"
	"strings"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/imagenet"
	"wsss/models/vit"
	"wsss/models/weights/formats"
)

func init() {
	register(openViT)
	register(openCNN)
}

// network is a graph built here: a classifier of ImageNet up to its pooling, or a
// vision transformer.
type network struct {
	net   *imagenet.Backbone
	sides int // are multiples of it
}

// cnnStep is what sides are multiples of for a CNN, which halves a photo five
// times.
const cnnStep = 32

// openViT takes weights of DINOv2, timm's ViT and CLIP's image tower.
func openViT(b compute.Backend, path string, o Options) (engine, error) {
	if strings.HasSuffix(path, ".onnx") {
		return nil, errOther
	}
	src, err := formats.Open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if _, ok, err := vit.Detect(src); err != nil || !ok {
		return nil, cmp.Or(err, errOther)
	}
	cfg, store, _, err := vit.FromFile(src)
	if err != nil {
		return nil, err
	}
	return network{imagenet.NewBackbone(b, store, imagenet.Options{Shapes: o.MaxShapes}, func(scope *model.Scope, images *Node) *Node {
		return cfg.Features(scope, images, 0)
	}), cfg.Patch}, nil
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
	return network{net, cnnStep}, nil
}

func (n network) step() int          { return n.sides }
func (n network) fixed() image.Point { w, h := n.net.Fixed(); return image.Pt(w, h) }
func (n network) Close() error       { return nil }
func (n network) alone() bool        { return n.net.Gathers() }

func (n network) run(ctx context.Context, pixels []float32, photos, w, h int) ([][]float32, int, int, error) {
	return n.net.Features(ctx, pixels, photos, w, h)
}
