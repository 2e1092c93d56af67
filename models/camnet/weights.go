package camnet

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/deeplab"
	"wsss/models/weights"
	"wsss/models/weights/formats"
	"wsss/models/weights/safetensors"
)

// Build makes the variables of a network, by building its graph, which is
// never run. seed is that of the initial weights.
func (n *Network) Build(seed int64) (*model.Store, error) {
	b, err := compute.NewWithConfig("go")
	if err != nil {
		return nil, err
	}
	defer b.Finalize()
	store := model.NewStore()
	store.SetParam("/"+model.ParamInitialSeed, seed)
	exec, err := model.NewExec1(b, store, func(scope *model.Scope, x *Node) *Node { return n.Logits(scope, x, false) })
	if err != nil {
		return nil, err
	}
	defer exec.Finalize()
	_, err = exec.Compile(shapes.Make(dtypes.Float32, 1, 33, 33, 3))
	return store, err
}

// Load fills the variables, which must exist, from torchvision's ResNets, from
// IRN's and ReCAM's res50_cam.pth (names resnet50.… and classifier.weight), from
// what Save wrote, and from checkpoints of wsss. The whole backbone has to be
// there; a classifier that is not, or is of other classes, keeps its initial
// weights; the mapping tells.
func Load(scope *model.Scope, src weights.Source) (weights.Mapping, error) {
	return deeplab.Load(scope, src)
}

// Keys of the metadata of a saved classifier.
const (
	metaStride  = "stride_in"
	metaClasses = "classes" // JSON list, background first
)

// Save writes the network below scope as safetensors with torchvision's names
// (conv1.weight, layer1.0.conv1.weight, …) and classifier.weight. classes are
// the names, background first.
func (n *Network) Save(path string, scope *model.Scope, classes []string) error {
	state, err := deeplab.StateDict(scope)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	values := make(map[string]*tensors.Tensor, len(state))
	for name, t := range state {
		values[strings.TrimPrefix(name, backboneScope+".")] = t
	}
	names, err := json.Marshal(classes)
	if err != nil {
		return err
	}
	return safetensors.WriteFile(path, values, map[string]string{metaStride: n.cfg.StrideIn, metaClasses: string(names)})
}

// Open reads a trained classifier: a file that Load knows with a classifier in
// it. The layout is told from the shapes of its tensors. classes are the names
// of its classes, background first; nil where the file does not tell.
func Open(path string) (n *Network, store *model.Store, classes []string, err error) {
	src, err := formats.Open(path)
	if err != nil {
		return nil, nil, nil, err
	}
	defer src.Close()
	cfg, classes, err := detect(src)
	if err == nil {
		n, err = New(cfg)
	}
	if err == nil {
		store, err = n.Build(0)
	}
	var m weights.Mapping
	if err == nil {
		m, err = Load(store.RootScope(), src)
	}
	if err == nil && len(m.Missing)+len(m.Differ) > 0 {
		err = fmt.Errorf("the file has no classifier for %d classes: %s", cfg.Classes, m)
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return n, store, classes, nil
}

// detect reads the layout off the tensors.
func detect(src weights.Source) (Config, []string, error) {
	shape := map[string][]int{}
	for _, tensor := range src.Names() {
		s, err := src.Shape(tensor)
		if err != nil {
			return Config{}, nil, err
		}
		shape[deeplab.Rename(tensor)] = s
	}
	stem, head := shape["backbone.conv1.weight"], shape["classifier.weight"]
	if len(stem) != 4 || len(head) != 4 {
		return Config{}, nil, fmt.Errorf("no CAM classifier: wanted are the tensors of a ResNet (conv1.weight, …) and classifier.weight [classes, channels, 1, 1]")
	}
	blocks := 0
	for shape[fmt.Sprintf("backbone.layer3.%d.conv1.weight", blocks)] != nil {
		blocks++
	}
	_, bottleneck := shape["backbone.layer1.0.conv3.weight"]
	depth := map[int]string{2: "resnet18", 6: "resnet34"}
	if bottleneck {
		depth = map[int]string{6: "resnet50", 23: "resnet101"}
	}
	cfg := Config{Backbone: depth[blocks], Width: float64(stem[0]) / 64, StrideIn: "3x3", BatchNorm: Frozen, Classes: head[0]}
	if cfg.Backbone == "" {
		return cfg, nil, fmt.Errorf("a ResNet of %d blocks in its third stage: allowed are ResNet-18, 34, 50 and 101", blocks)
	}
	var classes []string
	if r, ok := src.(*safetensors.Reader); ok {
		if s := r.Metadata()[metaStride]; s != "" {
			cfg.StrideIn = s
		}
		if list := r.Metadata()[metaClasses]; list != "" {
			if err := json.Unmarshal([]byte(list), &classes); err != nil || len(classes) != cfg.Classes+1 {
				return cfg, nil, fmt.Errorf("metadata %q: wanted is a list of %d names", metaClasses, cfg.Classes+1)
			}
		}
	}
	return cfg, slices.Clip(classes), nil
}
