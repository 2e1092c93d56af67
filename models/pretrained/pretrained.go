// Package pretrained gives a network's variables the values of a weight file,
// and writes them as a state dict.
package pretrained

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/data/words"
	"wsss/models"
	"wsss/models/layers"
	"wsss/models/weights"
	"wsss/models/weights/formats"
)

// Init loads the weights that train.network.init names, a file or a model of the
// manifest such as resnet101, into the network's variables below
// scope, which must exist, as Load does. The error names the file.
func Init(net models.Segmenter, scope *model.Scope, cfg configs.Train) (weights.Mapping, error) {
	src, path, err := formats.OpenInitial(cfg.Init)
	if err != nil {
		return weights.Mapping{}, err
	}
	defer src.Close()
	m, err := Load(scope, models.Adapt(net, src), rename(net))
	if err == nil {
		err = checkWeights(net, m, cfg)
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// rename is how a network names the tensors of weight files.
func rename(net models.Segmenter) func(tensor string) string {
	if r, ok := models.As[models.WeightReader](net); ok {
		return r.Rename
	}
	return nil
}

func checkWeights(net models.Segmenter, m weights.Mapping, cfg configs.Train) error {
	if r, ok := models.As[models.WeightReader](net); ok {
		return r.CheckWeights(m, cfg)
	}
	return nil
}

// Load fills the network's variables below scope, which must exist, from a
// weight file. rename gives the variable for a tensor, both as state-dict names
// (models.WeightReader); nil keeps its name. wsss's own training checkpoints and what StateDict
// returns need no names.
//
// The file must fill the whole backbone. A head that it lacks, or has for
// another number of classes, keeps its initial values; the mapping tells.
func Load(scope *model.Scope, src weights.Source, rename func(tensor string) string) (weights.Mapping, error) {
	variables := Variables(scope)
	if len(variables) == 0 {
		return weights.Mapping{}, fmt.Errorf("no network below %s to load weights into", scope.Scope())
	}
	if rename == nil {
		rename = func(tensor string) string { return tensor }
	}
	own := ownPrefix(src)
	m, err := match(variables, src, own, rename)
	if err != nil {
		return m, err
	}
	return m, fill(src, m.Pairs, variables, own == "")
}

// Fill gives variables, by their state-dict names, the values of the tensors
// that a mapping pairs them with.
func Fill(src weights.Source, pairs []weights.Pair, variables map[string]*model.Variable) error {
	return fill(src, pairs, variables, true)
}

// fill is Fill, of kernels as PyTorch lays them out or as the variables do.
func fill(src weights.Source, pairs []weights.Pair, variables map[string]*model.Variable, torch bool) error {
	for _, p := range pairs {
		t, err := src.Tensor(p.Tensor)
		if err != nil {
			return err
		}
		if t, err = weights.Float32(t); err == nil {
			err = checkFinite(t)
		}
		if err == nil && torch {
			t, err = layers.FromTorch(t)
		}
		if err == nil {
			err = variables[p.Variable].SetValue(t)
		}
		if err != nil {
			return fmt.Errorf("tensor %q: %w", p.Tensor, err)
		}
	}
	return nil
}

// checkFinite refuses values that are no numbers: nothing could be learnt from them.
func checkFinite(t *tensors.Tensor) error {
	at := -1
	err := tensors.ConstFlatData(t, func(flat []float32) {
		at = slices.IndexFunc(flat, func(v float32) bool { return v-v != 0 })
	})
	if err == nil && at >= 0 {
		err = fmt.Errorf("value %d of %d is not finite: the file is damaged, or of a training that diverged", at, t.Size())
	}
	return err
}

// Variables are the network's variables below scope by their state-dict names:
// what training adds beside it is left out.
func Variables(scope *model.Scope) map[string]*model.Variable {
	out := map[string]*model.Variable{}
	for v := range scope.IterVariables() {
		name := layers.TorchName(scope.Scope(), v.Path())
		root, _, _ := strings.Cut(name, ".")
		if root != checkpoints.OptimizerPrefix && root != checkpoints.GradientScope && !strings.HasPrefix(root, "#") {
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
		if slices.ContainsFunc(src.Names(), func(name string) bool { return strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, prefix+"#") }) {
			return prefix
		}
	}
	return ""
}

// match pairs a file's tensors with the variables and checks the backbone.
func match(variables map[string]*model.Variable, src weights.Source, own string, rename func(string) string) (weights.Mapping, error) {
	wanted := map[string][]int{}
	for name, v := range variables {
		wanted[name] = v.Shape().Dimensions
		if own == "" {
			wanted[name] = layers.TorchShape(wanted[name])
		}
	}
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
	if err := checkBackbone(m); err != nil {
		return m, err
	}
	return m, checkSurplus(m, src, rename)
}

// Describe says where the tensors of a weight file would go in the network that
// cfg describes, for so many classes; the error is the one that Init would
// give, and the mapping is complete all the same unless the file is unreadable.
func Describe(cfg configs.Train, classes int, src weights.Source) (weights.Mapping, error) {
	net, err := models.NewSegmenter(cfg, classes)
	if err != nil {
		return weights.Mapping{}, err
	}
	store, err := build(net)
	if err != nil {
		return weights.Mapping{}, err
	}
	src = models.Adapt(net, src)
	m, err := match(Variables(store.RootScope()), src, ownPrefix(src), rename(net))
	if err == nil {
		err = checkWeights(net, m, cfg)
	}
	return m, err
}

// build makes the variables of a network by building its graph, which is never
// run.
func build(net models.Segmenter) (*model.Store, error) {
	return layers.NewVariables(0, 33, func(scope *model.Scope, x *Node) []*Node { return net.Logits(scope, x, false)[:1] })
}

// StateDict returns the network's values below scope under the names and in the
// layout of PyTorch, ready for safetensors.WriteFile: what Load reads again, and
// PyTorch's load_state_dict in a network of the same module names.
func StateDict(scope *model.Scope) (map[string]*tensors.Tensor, error) {
	out := map[string]*tensors.Tensor{}
	for name, v := range Variables(scope) {
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

// outputNorms are the normalisations behind the stages of a backbone, which
// networks that classify images have none of.
var outputNorms = regexp.MustCompile(`^` + models.BackboneScope + `\.norm[0-3]\.(weight|bias)$`)

// checkBackbone refuses to start from half a backbone.
func checkBackbone(m weights.Mapping) error {
	isBackbone := func(name string) bool { return strings.HasPrefix(name, models.BackboneScope+".") }
	for _, p := range m.Differ {
		if isBackbone(p.Variable) {
			return fmt.Errorf("tensor %q has shape %v, %s of the network %v: check train.network.backbone and train.network.width", p.Tensor, p.Shape, p.Variable, p.Want)
		}
	}
	var missing []string
	for _, name := range m.Missing {
		if isBackbone(name) && !outputNorms.MatchString(name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		err := fmt.Errorf("the file lacks %d variables of the backbone: %s", len(missing), weights.Some(missing))
		if len(m.Unused) > 0 {
			err = fmt.Errorf("%w; it has %d tensors of other names: %s. Is it of another train.network.backbone?", err, len(m.Unused), weights.Some(m.Unused))
		}
		return err
	}
	return nil
}

// uncounted is a name without its numbers of blocks: layer3.#.conv1.weight.
func uncounted(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		if strings.Trim(p, "0123456789") == "" {
			parts[i] = "#"
		}
	}
	return strings.Join(parts, ".")
}

// checkSurplus refuses to start from a part of another backbone, such as the first
// blocks of a deeper one: tensors that are left over and have names of a backbone's.
// Others that a file has more, such as what classifies, are no harm.
func checkSurplus(m weights.Mapping, src weights.Source, rename func(string) string) error {
	known := map[string]bool{}
	for _, p := range m.Pairs {
		known[uncounted(p.Variable)] = true
	}
	var surplus []string
	for _, tensor := range m.Unused {
		name := rename(tensor)
		if strings.HasPrefix(name, models.BackboneScope+".") && (name != tensor || known[uncounted(name)]) {
			surplus = append(surplus, tensor)
		}
	}
	if len(surplus) == 0 {
		return nil
	}
	is := "it is of another train.network.backbone"
	if l, err := LayoutOf(src); err == nil {
		if name, _, err := models.DetectBackbone(l.Shapes); err == nil && name != "" {
			is = fmt.Sprintf("it is of train.network.backbone = %q", name)
		}
	}
	return fmt.Errorf("the file has %s of a backbone that this network lacks: %s: %s", words.Plural(len(surplus), "tensor"), weights.Some(surplus), is)
}
