package export

import (
	"fmt"

	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/data/augment"
	"wsss/models"
	"wsss/models/onnxwrite"
)

// build writes the graph of the network that the checkpoint's config names.
func build(n *network) (*protos.ModelProto, error) {
	t, classes := n.c.Meta.Model.Train, len(n.c.Meta.Model.Classes)
	net, err := models.NewSegmenter(t, classes)
	if err != nil {
		return nil, err
	}
	w, ok := net.(models.ONNXWriter)
	if !ok {
		return nil, fmt.Errorf("train.network.arch = %q: %w", t.Arch, models.ErrNoONNX)
	}
	b := onnxwrite.New(t.Arch, n.tensor)
	b.Graph.Input = []*protos.ValueInfoProto{onnxwrite.Port(string(onnxwrite.Image), protos.TensorProto_FLOAT, "batch", 3, "height", "width")}
	b.Graph.Output = []*protos.ValueInfoProto{
		onnxwrite.Port("logits", protos.TensorProto_FLOAT, "batch", classes, "height", "width"),
		onnxwrite.Port("labels", protos.TensorProto_INT64, "batch", "height", "width"),
	}
	x, err := normalise(b, t.Input)
	if err != nil {
		return nil, err
	}
	logits, whole, err := w.ONNX(b, x)
	if err != nil {
		return nil, fmt.Errorf("train.network.arch = %q, train.network.backbone = %q: %w", t.Arch, t.Backbone, err)
	}
	if !whole {
		logits = b.Resize(logits, b.Size(onnxwrite.Image))
	}
	b.Named("logits", "Identity", []onnxwrite.Value{logits})
	b.Named("labels", "ArgMax", []onnxwrite.Value{"logits"}, onnxwrite.A("axis", 1), onnxwrite.A("keepdims", 0))
	return b.Model(n.metadata()), b.Err()
}

// normalise turns RGB in 0..255 into what the network was trained on.
func normalise(b *onnxwrite.Builder, input string) (onnxwrite.Value, error) {
	in, err := augment.InputByName(input)
	if err != nil {
		return "", err
	}
	order, scale, shift := in.Affine()
	x := onnxwrite.Image
	if order != [3]int{0, 1, 2} {
		x = b.Op("Gather", []onnxwrite.Value{x, b.Ints(order[:]...)}, onnxwrite.A("axis", 1))
	}
	if scale != [3]float32{1, 1, 1} {
		x = b.Op("Mul", []onnxwrite.Value{x, b.Floats("scale", scale[:], 1, 3, 1, 1)})
	}
	return b.Op("Add", []onnxwrite.Value{x, b.Floats("shift", shift[:], 1, 3, 1, 1)}), nil
}
