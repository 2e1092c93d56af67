package camnet

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	return layers.NewVariables(seed, 33, func(scope *model.Scope, x *Node) []*Node { return []*Node{n.Logits(scope, x, false)} })
}

// Draws tells that a training draws random numbers (dropout), whose state is part
// of it then.
func (n *Network) Draws() bool {
	_, ok := n.backbone.(models.CAMBackbone)
	return ok
}

// AddReCAM makes the variables of ReCAM's second classifier beside those of
// Build.
func (n *Network) AddReCAM(store *model.Store) error {
	return layers.MakeVariables(store, 33, func(scope *model.Scope, x *Node) []*Node {
		logits, of := n.ReCAM(scope, x, false)
		return []*Node{logits, of}
	})
}

// FoldReCAM puts the product of both classifiers' weights in the place of the
// first, and drops the second: maps are ReCAM's then (docs/sources.md §11.6).
func (n *Network) FoldReCAM(store *model.Store) error {
	first, second := store.GetVariable("/"+classifierScope+"/weight"), store.GetVariable("/"+recamScope+"/weight")
	if first == nil || second == nil {
		return errors.New("the network lacks one of ReCAM's two classifiers")
	}
	a, err := first.Value()
	if err != nil {
		return err
	}
	b, err := second.Value()
	if err != nil {
		return err
	}
	x, err := tensors.CopyFlatData[float32](a)
	if err != nil {
		return err
	}
	y, err := tensors.CopyFlatData[float32](b)
	if err != nil {
		return err
	}
	for i := range x {
		x[i] *= y[i]
	}
	if err := first.SetValue(tensors.FromFlatDataAndDimensions(x, a.Shape().Dimensions...)); err != nil {
		return err
	}
	return store.RootScope().At(recamScope).DeleteVariable("weight")
}

// rename is the names of the backbone and of the classifier, psa's fc8 among them.
func (n *Network) rename(tensor string) string {
	name := models.RenameTensor(n.backbone, tensor)
	if leaf, ok := strings.CutPrefix(name, "fc8."); ok {
		return classifierScope + "." + leaf
	}
	return name
}

// Load fills the variables, which must exist, from torchvision's ResNets, from
// IRN's and ReCAM's res50_cam.pth (names resnet50.… and classifier.weight), psa's
// and SEAM's networks (fc8.weight), from what Save wrote, and from checkpoints of wsss. The whole backbone has to be
// there; a classifier that is not, or is of other classes, keeps its initial
// weights; the mapping tells.
func (n *Network) Load(scope *model.Scope, src weights.Source) (weights.Mapping, error) {
	return pretrained.Load(scope, models.Adapt(n.backbone, src), n.rename)
}

// Keys of the metadata of a saved classifier.
const (
	metaStride  = "stride_in"
	metaClasses = "classes" // JSON list, background first
	// Of backbones that are no ResNet, whose tensors tell.
	metaBackbone = "backbone"
	metaWidth    = "width"
)

// Save writes the network below scope as safetensors with torchvision's names
// (conv1.weight, layer1.0.conv1.weight, …) and classifier.weight. classes are
// the names, background first.
func (n *Network) Save(path string, scope *model.Scope, classes []string) error {
	state, err := pretrained.StateDict(scope)
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
	metadata := map[string]string{metaStride: n.cfg.StrideIn, metaClasses: string(names)}
	if _, is := n.backbone.(resnet.Config); !is {
		metadata[metaBackbone], metadata[metaWidth] = n.cfg.Backbone, strconv.FormatFloat(n.cfg.Width, 'g', -1, 64)
	}
	return safetensors.WriteFile(path, values, metadata)
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
		m, err = n.Load(store.RootScope(), src)
	}
	if err == nil && len(m.Missing)+len(m.Differ) > 0 {
		err = fmt.Errorf("the file has no classifier for %d classes: %s", cfg.Classes, m)
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return n, store, classes, nil
}

// detect reads the layout off the metadata, or off the tensors of a ResNet.
func detect(src weights.Source) (Config, []string, error) {
	cfg := Config{Backbone: "resnet18", Width: 1, StrideIn: "3x3", BatchNorm: Frozen, Classes: 1}
	metadata := map[string]string{}
	if r, ok := src.(*safetensors.Reader); ok {
		metadata = r.Metadata()
	}
	named := metadata[metaBackbone] != ""
	if named {
		cfg.Backbone = metadata[metaBackbone]
		var err error
		if cfg.Width, err = strconv.ParseFloat(metadata[metaWidth], 64); err != nil {
			return cfg, nil, fmt.Errorf("metadata %q = %q: wanted is a number", metaWidth, metadata[metaWidth])
		}
	}
	if s := metadata[metaStride]; s != "" {
		cfg.StrideIn = s
	}
	shape := map[string][]int{}
	for _, tensor := range src.Names() {
		s, err := src.Shape(tensor)
		if err != nil {
			return cfg, nil, err
		}
		shape[strings.TrimPrefix(weights.Unwrap(tensor), backboneScope+".")] = s
	}
	var err error
	if !named {
		if cfg.Backbone, cfg.Width, err = models.DetectBackbone(shape); err != nil {
			return cfg, nil, err
		}
	}
	if shape["classifier.weight"] == nil {
		shape["classifier.weight"] = shape["fc8.weight"]
	}
	head := shape["classifier.weight"]
	if cfg.Backbone == "" || len(head) != 4 {
		return cfg, nil, fmt.Errorf("no CAM classifier: wanted are the tensors of a ResNet (conv1.weight, …), of wrn38 (conv1a.weight, …) or of vgg16 (conv1_1.weight, …), and classifier.weight, or fc8.weight, [classes, channels, 1, 1]")
	}
	cfg.Classes = head[0]
	var classes []string
	if list := metadata[metaClasses]; list != "" {
		if err := json.Unmarshal([]byte(list), &classes); err != nil || len(classes) != cfg.Classes+1 {
			return cfg, nil, fmt.Errorf("metadata %q: wanted is a list of %d names", metaClasses, cfg.Classes+1)
		}
	}
	return cfg, slices.Clip(classes), nil
}
