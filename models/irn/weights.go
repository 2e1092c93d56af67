package irn

import (
	"fmt"
	"strconv"
	"strings"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints/safetensors"
	"wsss/models"
	"wsss/models/layers"
	"wsss/models/pretrained"
	"wsss/models/resnet"
	"wsss/models/weights"
	"wsss/models/weights/formats"
)

// Build makes the variables of a network, by building its graph, which is
// never run. seed is that of the initial weights.
func (n *Network) Build(seed int64) (*model.Store, error) {
	return layers.NewVariables(seed, 64, func(scope *model.Scope, x *Node) []*Node {
		edges, way := n.Outputs(scope, x, false)
		return []*Node{edges, way}
	})
}

// Rename is models.WeightReader's: the names of the backbone and of the branches.
func (n *Network) Rename(tensor string) string { return models.RenameTensor(n.backbone, tensor) }

// Load fills the variables, which must exist, from torchvision's ResNets, from
// IRN's res50_irn.pth, from what Save wrote, and from checkpoints of wsss. The
// whole backbone has to be there; branches that are not keep their initial
// weights; the mapping tells.
func (n *Network) Load(scope *model.Scope, src weights.Source) (weights.Mapping, error) {
	return pretrained.Load(scope, src, n.Rename)
}

// Keys of a saved network's metadata.
const (
	metaStride = "stride_in"
	metaCrop   = "crop"
)

// Crop is the side of the square that IRN's networks see (docs/sources.md §11.2).
const Crop = 512

// Save writes the network below scope as safetensors with the names of IRN's
// file, torchvision's for the backbone. crop is the side of the squares that it
// has learnt from: images are filled up to them.
func (n *Network) Save(path string, scope *model.Scope, crop int) error {
	state, err := pretrained.StateDict(scope)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	values := make(map[string]*tensors.Tensor, len(state))
	for name, t := range state {
		values[strings.TrimPrefix(name, backboneScope+".")] = t
	}
	return safetensors.WriteFile(path, values, map[string]string{metaStride: n.cfg.StrideIn, metaCrop: strconv.Itoa(crop)})
}

// Trained is a network with its variables.
type Trained struct {
	*Network
	Store *model.Store
	Crop  int // side of the squares that it has learnt from
}

// Open reads a trained network, whose layout is told from the shapes of its
// tensors.
func Open(path string) (*Trained, error) {
	src, err := formats.Open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	cfg, crop, err := detect(src)
	var n *Network
	if err == nil {
		n, err = New(cfg)
	}
	var store *model.Store
	if err == nil {
		store, err = n.Build(0)
	}
	var m weights.Mapping
	if err == nil {
		m, err = n.Load(store.RootScope(), src)
	}
	if err == nil && len(m.Missing)+len(m.Differ) > 0 {
		err = fmt.Errorf("the file does not hold a whole network: %s", m)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Trained{n, store, crop}, nil
}

// detect reads the layout off the tensors, and the crop off the metadata.
func detect(src weights.Source) (cfg Config, crop int, err error) {
	cfg = Config{Backbone: "resnet50", Width: 1, Head: 1, StrideIn: "3x3"}
	n, err := New(cfg)
	if err != nil {
		return cfg, 0, err
	}
	shape := map[string][]int{}
	for _, tensor := range src.Names() {
		s, err := src.Shape(tensor)
		if err != nil {
			return cfg, 0, err
		}
		shape[strings.TrimPrefix(n.Rename(tensor), backboneScope+".")] = s
	}
	edge := shape["fc_edge1.0.weight"]
	if len(shape["conv1.weight"]) != 4 || len(edge) != 4 {
		return cfg, 0, fmt.Errorf("no IRN network: wanted are the tensors of a ResNet (conv1.weight, …) and fc_edge1.0.weight")
	}
	cfg.Head = float64(edge[0]) / 32
	if cfg.Backbone, cfg.Width, err = resnet.Detect(shape); err != nil {
		return cfg, 0, err
	}
	crop = Crop
	if r, ok := src.(*safetensors.Reader); ok && r.Metadata()[metaStride] != "" {
		cfg.StrideIn = r.Metadata()[metaStride]
		if crop, err = strconv.Atoi(r.Metadata()[metaCrop]); err != nil || crop < 16 || crop > 16384 || crop%16 != 0 {
			return cfg, 0, fmt.Errorf("metadata %s = %q: allowed are multiples of 16 to 16384", metaCrop, r.Metadata()[metaCrop])
		}
	}
	return cfg, crop, nil
}
