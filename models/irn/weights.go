package irn

import (
	"fmt"
	"strconv"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/layers"
	"wsss/models/pretrained"
	"wsss/models/resnet"
	"wsss/models/weights"
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

// metaCrop is the key of Trained.Crop in a saved network's metadata.
const metaCrop = "crop"

// Crop is the side of the square that IRN's networks see (docs/sources.md §11.2).
const Crop = 512

// Save writes the network below scope as pretrained.SaveWhole does, with the names
// of IRN's file. crop is the side of the squares that it has learnt from: images are
// filled up to them.
func (n *Network) Save(path string, scope *model.Scope, crop int) error {
	return pretrained.SaveWhole(path, scope, n.cfg.StrideIn, "", map[string]string{metaCrop: strconv.Itoa(crop)})
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
	t := &Trained{Crop: Crop}
	var err error
	t.Network, t.Store, err = pretrained.OpenWhole(path, func(l pretrained.Layout) (*Network, error) {
		cfg, err := detect(l)
		if text := l.Metadata[metaCrop]; err == nil && l.Own() {
			if t.Crop, err = strconv.Atoi(text); err != nil || t.Crop < 16 || t.Crop > 16384 || t.Crop%16 != 0 {
				err = fmt.Errorf("metadata %s = %q: allowed are multiples of 16 to 16384", metaCrop, text)
			}
		}
		if err != nil {
			return nil, err
		}
		return New(cfg)
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// detect reads the layout off the tensors, whose names are those of any ResNet.
func detect(l pretrained.Layout) (cfg Config, err error) {
	shape := map[string][]int{}
	for tensor, s := range l.Shapes {
		name, _ := resnet.Config{}.Rename(tensor)
		shape[name] = s
	}
	edge := shape["fc_edge1.0.weight"]
	if len(shape["conv1.weight"]) != 4 || len(edge) != 4 {
		return cfg, fmt.Errorf("no IRN network: wanted are the tensors of a ResNet (conv1.weight, …) and fc_edge1.0.weight")
	}
	cfg = Config{Head: float64(edge[0]) / 32, StrideIn: l.StrideIn()}
	cfg.Backbone, cfg.Width, err = resnet.Detect(shape)
	return cfg, err
}
