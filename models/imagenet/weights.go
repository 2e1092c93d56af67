package imagenet

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/effnet"
	"wsss/models/layers"
	"wsss/models/pretrained"
	"wsss/models/resnet"
	"wsss/models/weights"
	"wsss/models/weights/formats"
)

// openWeights builds the network that a weight file is for.
func openWeights(b compute.Backend, path string, o Options) (*Classifier, error) {
	src, err := formats.Open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	c, ok, err := openEffNet(b, src, o)
	if err == nil && !ok {
		c, err = openResNet(b, src, o)
	}
	return c, err
}

// openEffNet is false for a file of another network.
func openEffNet(b compute.Backend, src weights.Source, o Options) (*Classifier, bool, error) {
	cfg, _, ok, err := effnet.Detect(src)
	if err != nil || !ok {
		return nil, false, err
	}
	cfg.OutputStride = o.Stride
	store, err := cfg.Build(0, 0)
	if err != nil {
		return nil, true, err
	}
	if _, err := effnet.Load(store.RootScope(), src); err != nil {
		return nil, true, err
	}
	c := &Classifier{engine: newNetwork(b, store, o, func(scope *model.Scope, images *Node) *Node {
		return cfg.Head(layers.Net{}, scope, cfg.Stages(layers.Net{}, scope, images)[effnet.Stage32])
	})}
	c.lacks = c.readLinear(src, "_fc")
	return c, true, nil
}

// openResNet takes torchvision's, whose classifier is called fc.
func openResNet(b compute.Backend, src weights.Source, o Options) (*Classifier, error) {
	net, err := resNetOf(src, o.Stride)
	if err != nil {
		return nil, fmt.Errorf("no classifier that is known: %w; known are EfficientNet-Lite (_conv_stem.weight, …) and torchvision's ResNets (conv1.weight, …), each with its linear layer, and ONNX files", err)
	}
	build := func(scope *model.Scope, images *Node) *Node {
		return net.Stages(layers.Net{}, scope.At(models.BackboneScope), images)[models.Stages-1]
	}
	store, err := variables(build)
	if err != nil {
		return nil, err
	}
	_, err = pretrained.Load(store.RootScope(), src, func(tensor string) string {
		if name, ok := models.RenameBackbone(net, weights.Unwrap(tensor)); ok && !strings.HasSuffix(tensor, ".num_batches_tracked") {
			return name
		}
		return ""
	})
	if err != nil {
		return nil, err
	}
	c := &Classifier{engine: newNetwork(b, store, o, build)}
	c.lacks = c.readLinear(src, "fc")
	return c, nil
}

// resNetOf reads the layout off the shapes of the tensors.
func resNetOf(src weights.Source, stride int) (c resnet.Config, err error) {
	shape := map[string][]int{}
	for _, tensor := range src.Names() {
		if shape[weights.Unwrap(tensor)], err = src.Shape(tensor); err != nil {
			return c, err
		}
	}
	if len(shape["conv1.weight"]) != 4 {
		return c, fmt.Errorf("it has no conv1.weight; its tensors are %s", weights.Some(src.Names()))
	}
	name, width, err := resnet.Detect(shape)
	if err != nil {
		return c, err
	}
	c.Depth, _ = strconv.Atoi(strings.TrimPrefix(name, "resnet"))
	c.BackboneOptions = models.BackboneOptions{Width: width, OutputStride: cmp.Or(stride, 32), Dilation: models.DilateLate}
	return c, c.Check()
}

// variables makes those of a network by building its graph, which is never run.
func variables(build func(scope *model.Scope, x *Node) *Node) (*model.Store, error) {
	return layers.NewVariables(0, 64, func(scope *model.Scope, x *Node) []*Node { return []*Node{build(scope, x)} })
}

// readLinear reads the linear layer of this name, which may stand behind the
// prefixes of a network that was saved as part of another.
func (c *Classifier) readLinear(src weights.Source, layer string) error {
	read := func(leaf string) ([]float32, []int, error) {
		at := slices.IndexFunc(src.Names(), func(n string) bool {
			return n == layer+leaf || strings.HasSuffix(n, "."+layer+leaf)
		})
		if at < 0 {
			return nil, nil, fmt.Errorf("the file has no %s%s: a classifier of ImageNet ends with that", layer, leaf)
		}
		t, err := src.Tensor(src.Names()[at])
		if err == nil {
			t, err = weights.Float32(t)
		}
		if err != nil {
			return nil, nil, err
		}
		v, err := tensors.CopyFlatData[float32](t)
		return v, t.Shape().Dimensions, err
	}
	weight, dims, err := read(".weight")
	if err != nil {
		return err
	}
	if len(dims) != 2 {
		return fmt.Errorf("%s.weight has shape %v: wanted is [classes, features]", layer, dims)
	}
	c.weight, c.classes, c.channels = weight, dims[0], dims[1]
	if c.bias, _, err = read(".bias"); err != nil {
		return errors.Join(err)
	}
	return nil
}
