package pretrained

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints/safetensors"
	"wsss/models"
	"wsss/models/weights"
	"wsss/models/weights/formats"
)

// Network is a network that is trained beside the segmenters and kept in a file
// of its own: a backbone, and what stands on it.
type Network interface {
	// Build makes the variables; seed is that of the initial weights.
	Build(seed int64) (*model.Store, error)
	// Load fills the variables, which must exist, from a weight file.
	Load(scope *model.Scope, src weights.Source) (weights.Mapping, error)
}

// Keys of the metadata, of what no shape tells.
const (
	metaStride = "stride_in" // the bottleneck convolution that strides
	metaInput  = "input"     // how photos are normalised; none of those that are as torchvision's
)

// Layout is what tells the network that a file holds.
type Layout struct {
	// Shapes of the tensors, by their names without what training scripts put before
	// them (weights.Unwrap) and without the scope of a backbone.
	Shapes   map[string][]int
	Metadata map[string]string // of safetensors files
}

// StrideIn is the bottleneck convolution that strides: "3x3", as torchvision,
// where the file does not tell.
func (l Layout) StrideIn() string {
	if s := l.Metadata[metaStride]; s != "" {
		return s
	}
	return "3x3"
}

// Own tells whether SaveWhole wrote the file.
func (l Layout) Own() bool { return l.Metadata[metaStride] != "" }

// Input is how photos are normalised for the network: "torch" or "caffe", told by
// what SaveWhole wrote, or by Caffe's names of a VGG-16 in a file that is not
// from wsss, such as psa's; "" where neither tells.
func (l Layout) Input() string {
	foreign := !slices.ContainsFunc(slices.Collect(maps.Keys(l.Metadata)), func(key string) bool { return key != "format" })
	switch {
	case l.Own():
		return cmp.Or(l.Metadata[metaInput], "torch")
	case foreign && len(l.Shapes["conv1_1.weight"]) == 4:
		return "caffe"
	}
	return ""
}

// LayoutOf reads the layout of a file.
func LayoutOf(src weights.Source) (l Layout, err error) {
	l.Shapes = map[string][]int{}
	if r, ok := src.(*safetensors.Reader); ok {
		l.Metadata = r.Metadata()
	}
	for _, tensor := range src.Names() {
		name := strings.TrimPrefix(weights.Unwrap(tensor), models.BackboneScope+".")
		if l.Shapes[name], err = src.Shape(tensor); err != nil {
			return l, err
		}
	}
	return l, nil
}

// SaveWhole writes the network below scope as safetensors with PyTorch's names,
// those of the backbone without its scope (conv1.weight, layer1.0.conv1.weight, …).
// strideIn and input are Layout's; "" as input is "torch". metadata, which gets it, is what else shapes do not tell.
func SaveWhole(path string, scope *model.Scope, strideIn, input string, metadata map[string]string) error {
	state, err := StateDict(scope)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	values := make(map[string]*tensors.Tensor, len(state))
	for name, t := range state {
		values[strings.TrimPrefix(name, models.BackboneScope+".")] = t
	}
	metadata[metaStride] = strideIn
	if input == "caffe" {
		metadata[metaInput] = input
	}
	return safetensors.WriteFile(path, values, metadata)
}

// OpenWhole reads a trained network and its variables: a file that SaveWhole wrote,
// or another that network knows from its layout. Every variable has to be in it.
// The error names the file.
func OpenWhole[N Network](path string, network func(l Layout) (N, error)) (n N, store *model.Store, err error) {
	src, err := formats.Open(path)
	if err != nil {
		return n, nil, err
	}
	defer src.Close()
	layout, err := LayoutOf(src)
	if err == nil {
		n, err = network(layout)
	}
	if err == nil {
		store, err = n.Build(0)
	}
	var m weights.Mapping
	if err == nil {
		m, err = n.Load(store.RootScope(), src)
	}
	if err == nil && len(m.Missing)+len(m.Differ) > 0 {
		err = fmt.Errorf("the file does not hold the whole network: %s", m)
	}
	if err != nil {
		return n, nil, fmt.Errorf("%s: %w", path, err)
	}
	return n, store, nil
}
