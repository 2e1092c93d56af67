package camnet

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models"
	"wsss/models/layers"
	"wsss/models/pretrained"
	"wsss/models/resnet"
	"wsss/models/weights"
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
// first, or the second's, and drops the second: maps are ReCAM's then
// (docs/sources.md §11.6).
func (n *Network) FoldReCAM(store *model.Store, second bool) error {
	first, other := store.GetVariable("/"+classifierScope+"/weight"), store.GetVariable("/"+recamScope+"/weight")
	if first == nil || other == nil {
		return errors.New("the network lacks one of ReCAM's two classifiers")
	}
	x, err := valuesOf(first)
	if err != nil {
		return err
	}
	y, err := valuesOf(other)
	if err != nil {
		return err
	}
	for i, v := range y {
		if second {
			x[i] = v
		} else {
			x[i] *= v
		}
	}
	if err := first.SetValue(tensors.FromFlatDataAndDimensions(x, first.Shape().Dimensions...)); err != nil {
		return err
	}
	return store.RootScope().At(recamScope).DeleteVariable("weight")
}

func valuesOf(v *model.Variable) ([]float32, error) {
	t, err := v.Value()
	if err != nil {
		return nil, err
	}
	return tensors.CopyFlatData[float32](t)
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

// CheckInit compares how the network's photos are normalised with what the file
// tells of which m was loaded.
func (n *Network) CheckInit(src weights.Source, m weights.Mapping) error {
	input := cmp.Or(n.cfg.Input, "torch")
	l, err := pretrained.LayoutOf(src)
	if err != nil {
		return err
	}
	told := l.Input()
	if told == "" && n.backbone.CheckWeights(m, configs.Train{TrainNetwork: configs.TrainNetwork{Input: input, StrideIn: n.cfg.StrideIn}}) != nil {
		told = "torch"
	}
	if told != "" && told != input {
		return fmt.Errorf("the file needs classifier.network.input = %q, not %q", told, input)
	}
	return nil
}

// Keys of the metadata of a saved classifier.
const (
	metaClasses = "classes" // JSON list, background first
	// Of backbones that are no ResNet, whose tensors tell.
	metaBackbone = "backbone"
	metaWidth    = "width"
)

// Save writes the network below scope as pretrained.SaveWhole does, the classifier
// as classifier.weight. classes are the names, background first.
func (n *Network) Save(path string, scope *model.Scope, classes []string) error {
	names, err := json.Marshal(classes)
	if err != nil {
		return err
	}
	metadata := map[string]string{metaClasses: string(names)}
	if _, is := n.backbone.(resnet.Config); !is {
		metadata[metaBackbone], metadata[metaWidth] = n.cfg.Backbone, strconv.FormatFloat(n.cfg.Width, 'g', -1, 64)
	}
	return pretrained.SaveWhole(path, scope, n.cfg.StrideIn, n.cfg.Input, metadata)
}

// Open reads a trained classifier: a file that Load knows with a classifier in
// it. The layout is told from the shapes of its tensors. classes are the names
// of its classes, background first; nil where the file does not tell.
func Open(path string) (n *Network, store *model.Store, classes []string, err error) {
	n, store, err = pretrained.OpenWhole(path, func(l pretrained.Layout) (*Network, error) {
		cfg, names, err := detect(l)
		if err != nil {
			return nil, err
		}
		classes = names
		return New(cfg)
	})
	return n, store, classes, err
}

// detect reads the layout off the metadata, or off the tensors of a ResNet.
func detect(l pretrained.Layout) (Config, []string, error) {
	cfg := Config{Backbone: l.Metadata[metaBackbone], StrideIn: l.StrideIn(), BatchNorm: Frozen}
	if l.Input() == "caffe" {
		cfg.Input = "caffe"
	}
	var err error
	if cfg.Backbone == "" {
		cfg.Backbone, cfg.Width, err = models.DetectBackbone(l.Shapes)
	} else if cfg.Width, err = strconv.ParseFloat(l.Metadata[metaWidth], 64); err != nil {
		err = fmt.Errorf("metadata %q = %q: wanted is a number", metaWidth, l.Metadata[metaWidth])
	}
	if err != nil {
		return cfg, nil, err
	}
	head := l.Shapes["classifier.weight"]
	if head == nil {
		head = l.Shapes["fc8.weight"]
	}
	if cfg.Backbone == "" || len(head) != 4 {
		return cfg, nil, fmt.Errorf("no CAM classifier: wanted are the tensors of a ResNet (conv1.weight, …), of wrn38 (conv1a.weight, …) or of vgg16 (conv1_1.weight, …), and classifier.weight, or fc8.weight, [classes, channels, 1, 1]")
	}
	cfg.Classes = head[0]
	var classes []string
	if list := l.Metadata[metaClasses]; list != "" {
		if err := json.Unmarshal([]byte(list), &classes); err != nil || len(classes) != cfg.Classes+1 {
			return cfg, nil, fmt.Errorf("metadata %q: wanted is a list of %d names", metaClasses, cfg.Classes+1)
		}
	}
	return cfg, slices.Clip(classes), nil
}
