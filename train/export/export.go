// Package export writes a trained network for other programs: as safetensors
// with PyTorch's names, and as an ONNX graph for images of any size. Where the
// training kept a moving average of the weights, that is what is written.
package export

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"google.golang.org/protobuf/proto"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/checkpoints/safetensors"
	"wsss/models/layers"
	"wsss/models/pretrained"
)

// averagePrefix marks the moving average among a checkpoint's tensors.
const averagePrefix = checkpoints.OptimizerPrefix + "/ema/"

// network is a checkpoint as state dict.
type network struct {
	c      *checkpoints.Checkpoint
	stored map[string]string // PyTorch's name → tensor of the checkpoint
}

// open reads a checkpoint file, or the newest of a run folder.
func open(path string, warn func(string)) (*network, error) {
	c, err := checkpoints.OpenPath(path, warn)
	if err != nil {
		return nil, err
	}
	if err := c.Meta.Model.Validate(); err != nil {
		c.Close()
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	n := &network{c: c, stored: map[string]string{}}
	for _, prefix := range []string{checkpoints.WeightPrefix + "/", averagePrefix} {
		for _, name := range c.Names() {
			if path, ok := strings.CutPrefix(name, prefix); ok && !strings.HasPrefix(path, "#") {
				n.stored[layers.TorchName("", path)] = name // the average comes second and wins
			}
		}
	}
	if err := n.check(); err != nil {
		c.Close()
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	return n, nil
}

// check tells whether the tensors are of the network that the header describes.
func (n *network) check() error {
	classes := len(n.c.Meta.Model.Classes)
	m, err := pretrained.Describe(n.c.Meta.Model.Train, classes, n.c)
	if err != nil {
		return err
	}
	if len(m.Differ) == 0 {
		return nil
	}
	p := m.Differ[0]
	last := len(p.Want) - 1
	if len(p.Shape) == len(p.Want) && p.Want[last] == classes && slices.Equal(p.Shape[:last], p.Want[:last]) {
		return fmt.Errorf("its header names %d classes, its last layer has %d", classes, p.Shape[last])
	}
	return fmt.Errorf("its tensor %s has shape %v, the network that its header describes %v", p.Tensor, p.Shape, p.Want)
}

// tensor reads a value by PyTorch's name, kernels as [out, in, kh, kw].
func (n *network) tensor(name string) (*tensors.Tensor, error) {
	stored, ok := n.stored[name]
	if !ok {
		return nil, fmt.Errorf("%s has no tensor %q", n.c.Path, name)
	}
	t, err := n.c.Tensor(stored)
	if err != nil {
		return nil, err
	}
	return layers.ToTorch(t)
}

// Safetensors writes the weights of a checkpoint, or of the newest in a run
// folder, with PyTorch's names and layout: backbone.layer1.0.conv1.weight
// [out, in, kh, kw]. The metadata names the classes and the network. warn is told
// where the newest checkpoint is damaged; nil drops it.
func Safetensors(checkpoint, out string, warn func(string)) error {
	n, err := open(checkpoint, warn)
	if err != nil {
		return err
	}
	defer n.c.Close()
	values := map[string]*tensors.Tensor{}
	for name := range n.stored {
		if values[name], err = n.tensor(name); err != nil {
			return err
		}
	}
	return safetensors.WriteFile(out, values, n.metadata())
}

func (n *network) metadata() map[string]string {
	t := n.c.Meta.Model.Train
	return map[string]string{
		"format": "pt", "arch": t.Arch, "backbone": t.Backbone, "input": t.Input,
		"output_stride": fmt.Sprint(t.OutputStride), "stride_in": t.StrideIn, "width": fmt.Sprint(t.Width),
		"classes": strings.Join(n.c.Meta.Model.Classes, ","), "step": fmt.Sprint(n.c.Meta.Step),
	}
}

// ONNX writes the network of a checkpoint, or of the newest in a run folder,
// as an ONNX graph (opset 13, for transformers 17) with native convolutions and batch statistics
// folded in.
//
//	image   float32 [batch, 3, height, width], RGB in 0..255; normalisation is in the graph
//	logits  float32 [batch, classes, height, width]
//	labels  int64   [batch, height, width]
//
// Batch, height and width are free. Test-time scales and flips are left to the
// caller.
func ONNX(checkpoint, out string, warn func(string)) error {
	n, err := open(checkpoint, warn)
	if err != nil {
		return err
	}
	defer n.c.Close()
	model, err := build(n)
	if err != nil {
		return fmt.Errorf("%s: %w", n.c.Path, err)
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(model)
	if err != nil {
		return err
	}
	return files.WriteAtomic(out, func(w io.Writer) error { _, err := w.Write(raw); return err })
}
