package models

import (
	"fmt"
	"slices"
	"strings"

	"wsss/configs"
)

// Architecture is how a segmentation network is made.
type Architecture struct {
	// New checks a [train] table as far as it describes the network, and returns
	// the network for so many classes, background included. The error names the
	// key. MSC is not its business: NewSegmenter puts it around any network.
	New func(t configs.Train, classes int) (Segmenter, error)
	// OutputStrides are the values of train.network.output_stride that it takes.
	OutputStrides []int
	// PoolsImage: it reduces each image to one value per channel and normalises
	// that, which takes two images or more in training.
	PoolsImage bool
	// Freezes: it heeds train.network.frozen.
	Freezes bool
}

// registry keeps what is registered by name, in the order of registration.
type registry[T any] struct {
	names []string
	of    map[string]T
}

func (r *registry[T]) add(what, name string, v T) {
	if _, twice := r.of[name]; twice || name == "" {
		panic(fmt.Sprintf("models: %s %q registered twice, or without a name", what, name))
	}
	if r.of == nil {
		r.of = map[string]T{}
	}
	r.names, r.of[name] = append(r.names, name), v
}

func (r *registry[T]) find(key, name string) (v T, err error) {
	v, ok := r.of[name]
	if !ok {
		err = fmt.Errorf("%s = %q: allowed is one of %s", key, name, strings.Join(r.names, ", "))
	}
	return v, err
}

var (
	architectures registry[Architecture]
	backbones     registry[NewBackbone]
	detectors     []Detector
)

// Configs ask for these names where they are checked.
func init() {
	configs.Allow(configs.Architectures, Architectures)
	configs.Allow(configs.Backbones, Backbones)
	configs.AllowStrides(func(arch string) []int { return architectures.of[arch].OutputStrides })
}

// RegisterArchitecture adds a segmentation network by the name that train.network.arch
// gives it; it panics on a duplicate name. Call it from init in the network's
// own file.
func RegisterArchitecture(name string, a Architecture) { architectures.add("architecture", name, a) }

// Architectures lists the registered names, in the order of registration.
func Architectures() []string { return slices.Clone(architectures.names) }

// PoolsImage tells it of a registered architecture.
func PoolsImage(arch string) bool { return architectures.of[arch].PoolsImage }

// NewSegmenter builds the network that train.network.arch names, for so many classes,
// background included; with train.network.msc at several scales.
func NewSegmenter(t configs.Train, classes int) (Segmenter, error) {
	a, err := architectures.find("train.network.arch", t.Arch)
	if err != nil {
		return nil, err
	}
	if classes < 2 || classes > 255 {
		return nil, fmt.Errorf("%d classes: a segmentation network has 2 to 255, background included", classes)
	}
	if t.Frozen && !a.Freezes {
		return nil, fmt.Errorf("train.network.frozen = true: train.network.arch = %q has no use for it; its backbone's normalisation is kept by train.network.batch_norm", t.Arch)
	}
	net, err := a.New(t, classes)
	if err != nil {
		return nil, err
	}
	return AtScales(net, t)
}

// RegisterBackbone adds a backbone by the name that train.network.backbone gives it; it
// panics on a duplicate name. Call it from init in the backbone's own file.
func RegisterBackbone(name string, make NewBackbone) { backbones.add("backbone", name, make) }

// Backbones lists the registered names, in the order of registration.
func Backbones() []string { return slices.Clone(backbones.names) }

// BackboneByName builds a registered backbone. key names the config key that
// asks for it in errors ("train.network.backbone").
func BackboneByName(key, name string, o BackboneOptions) (Backbone, error) {
	make, err := backbones.find(key, name)
	if err != nil {
		return nil, err
	}
	b, err := make(o)
	if err != nil {
		return nil, fmt.Errorf("%s = %q: %w", key, name, err)
	}
	return b, nil
}

// Detector tells a registered backbone and its width from the shapes of a weight
// file's tensors, by the names that the file's backbone has (weights.Unwrap); ok is
// false where they are those of another.
type Detector func(shape map[string][]int) (name string, width float64, ok bool, err error)

// RegisterDetector adds one. Call it from init beside RegisterBackbone.
func RegisterDetector(d Detector) { detectors = append(detectors, d) }

// DetectBackbone asks all detectors. Where none knows the tensors, name is "".
func DetectBackbone(shape map[string][]int) (name string, width float64, err error) {
	for _, d := range detectors {
		if name, width, ok, err := d(shape); ok {
			return name, width, err
		}
	}
	return "", 0, nil
}
