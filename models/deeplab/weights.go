package deeplab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/models"
	"wsss/models/backend"
	"wsss/models/layers"
	"wsss/models/weights"
	"wsss/models/weights/formats"
)

// Init loads the weights that train.init names, a file or a model of the
// manifest such as resnet101, into the network's variables below
// scope, which must exist, as Load does. A checkpoint with Caffe's names needs
// Caffe's network: stride in the 1×1 convolution, BGR input. The error names
// the file.
func Init(scope *model.Scope, cfg configs.Train) (weights.Mapping, error) {
	src, path, err := formats.OpenStart(cfg.Init)
	if err != nil {
		return weights.Mapping{}, err
	}
	defer src.Close()
	m, err := Load(scope, src)
	if err == nil {
		err = checkLayout(m, cfg)
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// checkLayout compares what the names tell about a file with the config.
func checkLayout(m weights.Mapping, cfg configs.Train) error {
	for _, p := range m.Pairs {
		if !caffeBlock.MatchString(wrappers.ReplaceAllString(p.Tensor, "")) {
			continue
		}
		if cfg.StrideIn != "1x1" {
			return fmt.Errorf("the file was converted from Caffe: it needs train.stride_in = \"1x1\", not %q", cfg.StrideIn)
		}
		if cfg.Input != "caffe" {
			return fmt.Errorf("the file was converted from Caffe: it needs train.input = \"caffe\", not %q", cfg.Input)
		}
		return nil
	}
	return nil
}

// Load fills the network's variables below scope, which must exist, from a
// weight file. It knows the names of torchvision's ResNets, of the DeepLab-v1
// and v2 checkpoints converted from Caffe (deeplab-pytorch, and the older
// conversion with layer5.conv2d_list), of both DeepLab-v3+ of docs/sources.md §8.2, of
// StateDict, and of wsss's own training checkpoints.
//
// The file must fill the whole backbone. A head that it lacks, or has for
// another number of classes, keeps its initial values; the mapping tells.
func Load(scope *model.Scope, src weights.Source) (weights.Mapping, error) {
	variables := networkVariables(scope)
	if len(variables) == 0 {
		return weights.Mapping{}, fmt.Errorf("no network below %s to load weights into", scope.Scope())
	}
	own := ownPrefix(src)
	m, err := match(variables, src, own)
	if err != nil {
		return m, err
	}
	for _, p := range m.Pairs {
		t, err := src.Tensor(p.Tensor)
		if err != nil {
			return m, err
		}
		t, err = weights.Float32(t)
		if err == nil && own == "" {
			t, err = layers.FromTorch(t)
		}
		if err == nil {
			err = variables[p.Variable].SetValue(t)
		}
		if err != nil {
			return m, fmt.Errorf("tensor %q: %w", p.Tensor, err)
		}
	}
	return m, nil
}

// networkVariables are the variables below scope by their state-dict names.
func networkVariables(scope *model.Scope) map[string]*model.Variable {
	out := map[string]*model.Variable{}
	for v := range scope.IterVariables() {
		name := layers.TorchName(scope.Scope(), v.Path())
		switch root, _, _ := strings.Cut(name, "."); root {
		case backboneScope, asppScope, headScope:
			out[name] = v
		}
	}
	return out
}

// What starts the names of weights in wsss's training checkpoints, which hold
// kernels as the variables do: the weights, and their moving average if there is
// one, which is the better start.
const (
	ownWeights = checkpoints.WeightPrefix + "/"
	ownAverage = checkpoints.OptimizerPrefix + "/ema/"
)

// ownPrefix is the one to load of a training checkpoint; "" for other files.
func ownPrefix(src weights.Source) string {
	for _, prefix := range []string{ownAverage, ownWeights} {
		if slices.ContainsFunc(src.Names(), func(name string) bool { return strings.HasPrefix(name, prefix+backboneScope+"/") }) {
			return prefix
		}
	}
	return ""
}

// match pairs a file's tensors with the variables and checks the backbone.
func match(variables map[string]*model.Variable, src weights.Source, own string) (weights.Mapping, error) {
	wanted := map[string][]int{}
	for name, v := range variables {
		wanted[name] = v.Shape().Dimensions
		if own == "" {
			wanted[name] = layers.TorchShape(wanted[name])
		}
	}
	rename := Rename
	if own != "" {
		rename = func(tensor string) string {
			if path, ok := strings.CutPrefix(tensor, own); ok {
				return layers.TorchName("", path)
			}
			return tensor
		}
	}
	m, err := weights.Match(src, wanted, rename)
	if err != nil {
		return m, err
	}
	return m, checkBackbone(m)
}

// Describe says where the tensors of a weight file would go in the network that
// cfg describes, for so many classes; the error is the one that Init would
// give, and the mapping is complete all the same unless the file is unreadable.
func Describe(cfg configs.Train, classes int, src weights.Source) (weights.Mapping, error) {
	net, err := New(cfg, classes)
	if err != nil {
		return weights.Mapping{}, err
	}
	store, err := build(net)
	if err != nil {
		return weights.Mapping{}, err
	}
	m, err := match(networkVariables(store.RootScope()), src, ownPrefix(src))
	if err == nil {
		err = checkLayout(m, cfg)
	}
	return m, err
}

// build makes the variables of a network by building its graph, which is never
// run.
func build(net models.Segmenter) (*model.Store, error) {
	b, err := backend.Open("go")
	if err != nil {
		return nil, err
	}
	defer b.Finalize()
	store := model.NewStore()
	exec, err := model.NewExec1(b, store, func(scope *model.Scope, x *Node) *Node {
		return net.Logits(scope, x, false)[0]
	})
	if err != nil {
		return nil, err
	}
	defer exec.Finalize()
	_, err = exec.Compile(shapes.Make(dtypes.Float32, 1, 33, 33, 3))
	return store, err
}

// StateDict returns the network's values below scope under the names and in the
// layout of PyTorch, ready for safetensors.WriteFile: what Load reads again, and
// PyTorch's load_state_dict in a network of the same module names.
func StateDict(scope *model.Scope) (map[string]*tensors.Tensor, error) {
	out := map[string]*tensors.Tensor{}
	for name, v := range networkVariables(scope) {
		t, err := v.Value()
		if err == nil {
			t, err = layers.ToTorch(t)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.Path(), err)
		}
		out[name] = t
	}
	return out, nil
}

// checkBackbone refuses to start from half a backbone.
func checkBackbone(m weights.Mapping) error {
	isBackbone := func(name string) bool { return strings.HasPrefix(name, backboneScope+".") }
	for _, p := range m.Differ {
		if isBackbone(p.Variable) {
			return fmt.Errorf("tensor %q has shape %v, which is not that of %s: check train.backbone and train.width", p.Tensor, p.Shape, p.Variable)
		}
	}
	var missing []string
	for _, name := range m.Missing {
		if isBackbone(name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the file lacks %d variables of the backbone: %s; it has %d tensors of other names: %s",
			len(missing), weights.Some(missing), len(m.Unused), weights.Some(m.Unused))
	}
	return nil
}
