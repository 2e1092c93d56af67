package effnet

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/layers"
	"wsss/models/pretrained"
	"wsss/models/weights"
)

// wrappers precede the names of a network that was saved as part of another.
var wrappers = regexp.MustCompile(`^(module\.|model\.|backbone\.|encoder\.)+`)

// Rename turns a tensor's name of a weight file into a variable's state-dict
// name; "" for what no network has a variable for.
func Rename(tensor string) string {
	name := wrappers.ReplaceAllString(tensor, "")
	if strings.HasSuffix(name, ".num_batches_tracked") {
		return ""
	}
	return name
}

// Detect reads the layout off the shapes of a weight file's tensors; classes is
// 0 where it has no classifier. ok is false for a file of another network.
func Detect(src weights.Source) (c Config, classes int, ok bool, err error) {
	src = Adapt(src)
	shape := map[string][]int{}
	for _, tensor := range src.Names() {
		s, err := src.Shape(tensor)
		if err != nil {
			return c, 0, false, err
		}
		shape[Rename(tensor)] = s
	}
	if shape["_conv_stem.weight"] == nil || shape["_blocks.0._depthwise_conv.weight"] == nil {
		return c, 0, false, nil
	}
	if fc := shape["_fc.weight"]; len(fc) == 2 {
		classes = fc[0]
	}
	blocks := 0
	for shape[fmt.Sprintf("_blocks.%d._project_conv.weight", blocks)] != nil {
		blocks++
	}
	for n := range lite {
		c, _ = Lite(n)
		at, fits := 0, c.blocks() == blocks
		for g := range groups {
			last := at + c.repeats(g) - 1
			s := shape[fmt.Sprintf("_blocks.%d._project_conv.weight", last)]
			fits = fits && len(s) == 4 && s[0] == c.channels(groups[g].out)
			at = last + 1
		}
		if fits {
			return c, classes, true, nil
		}
	}
	return c, 0, false, fmt.Errorf("an EfficientNet of %d blocks: known are EfficientNet-Lite 0 to %d", blocks, len(lite)-1)
}

// Load fills the variables below scope, which must exist, from a weight file.
// All of the stages and the head has to be there; a classifier that is not, or
// is of other classes, keeps its initial values; the mapping tells.
func Load(scope *model.Scope, src weights.Source) (weights.Mapping, error) {
	variables, wanted := map[string]*model.Variable{}, map[string][]int{}
	for v := range scope.IterVariables() {
		name := layers.TorchName(scope.Scope(), v.Path())
		if root, _, _ := strings.Cut(name, "."); slices.Contains([]string{"_conv_stem", "_bn0", "_blocks", "_conv_head", "_bn1", "_fc"}, root) {
			variables[name], wanted[name] = v, layers.TorchShape(v.Shape().Dimensions)
		}
	}
	src = Adapt(src)
	m, err := weights.Match(src, wanted, Rename)
	if err != nil {
		return m, err
	}
	for _, p := range m.Differ {
		m.Missing = append(m.Missing, p.Variable)
	}
	missing := slices.DeleteFunc(slices.Clone(m.Missing), func(name string) bool { return strings.HasPrefix(name, "_fc.") })
	if len(variables) == 0 || len(missing) > 0 {
		return m, fmt.Errorf("the file lacks %d variables of the network: %s; it has %d tensors of other names: %s",
			len(missing), weights.Some(missing), len(m.Unused), weights.Some(m.Unused))
	}
	return m, pretrained.Fill(src, m.Pairs, variables)
}

// Build makes the variables of a network with a classifier of so many classes,
// 0 for none, by building its graph, which is never run. seed is that of the
// initial weights.
func (c Config) Build(classes int, seed int64) (*model.Store, error) {
	return layers.NewVariables(seed, 64, func(scope *model.Scope, x *Node) []*Node {
		y := c.Head(layers.Net{}, scope, c.Stages(layers.Net{}, scope, x)[Stage32])
		if classes > 0 {
			y = c.Classify(layers.Net{}, scope, y, classes)
		}
		return []*Node{y}
	})
}
