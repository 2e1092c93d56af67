package deeplab

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models/layers"
	"wsss/models/weights"
	"wsss/models/weights/formats"
)

// Init loads the weight file train.init into the network's variables below
// scope, which must exist, as Load does. A checkpoint with Caffe's names needs
// Caffe's network: stride in the 1×1 convolution, BGR input. The error names
// the file.
func Init(scope *model.Scope, cfg configs.Train) (weights.Mapping, error) {
	src, err := formats.Open(cfg.Init)
	if err != nil {
		return weights.Mapping{}, err
	}
	defer src.Close()
	m, err := Load(scope, src)
	if err == nil {
		err = checkLayout(m, cfg)
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", cfg.Init, err)
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
// conversion with layer5.conv2d_list), of both DeepLab-v3+ of METHODS §8.2, and
// those that wsss itself exports; see Rename.
//
// The file must fill the whole backbone. A head that it lacks, or has for
// another number of classes, keeps its initial values; the mapping tells.
func Load(scope *model.Scope, src weights.Source) (weights.Mapping, error) {
	variables := map[string]*model.Variable{}
	wanted := map[string][]int{}
	for v := range scope.IterVariables() {
		name := layers.TorchName(scope.Scope(), v.Path())
		switch root, _, _ := strings.Cut(name, "."); root {
		case backboneScope, asppScope, headScope:
			variables[name] = v
			wanted[name] = layers.TorchShape(v.Shape().Dimensions)
		}
	}
	if len(variables) == 0 {
		return weights.Mapping{}, fmt.Errorf("no network below %s to load weights into", scope.Scope())
	}
	m, err := weights.Match(src, wanted, Rename)
	if err != nil {
		return m, err
	}
	if err := checkBackbone(m); err != nil {
		return m, err
	}
	for _, p := range m.Pairs {
		t, err := src.Tensor(p.Tensor)
		if err != nil {
			return m, err
		}
		if t, err = weights.Float32(t); err == nil {
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

// wrappers are the names under which training scripts save a network.
var wrappers = regexp.MustCompile(`^((state_dict|model_state|model_state_dict|model|module|net|base|scale|Scale|Scale1)\.)+`)

var (
	caffeBlock = regexp.MustCompile(`^layer([2-5])\.block([0-9]{1,2})\.(reduce|conv3x3|increase|shortcut|proj)\.(conv|bn)\.(\w+)$`)
	caffeStem  = regexp.MustCompile(`^layer1\.conv1\.(conv|bn)\.(\w+)$`)
	v2Head     = regexp.MustCompile(`^(?:aspp\.(?:stages\.)?c|layer5\.conv2d_list\.)([0-3])\.(weight|bias)$`)
	jfzBranch  = regexp.MustCompile(`^aspp\.aspp([1-4])\.(atrous_conv|bn)\.(\w+)$`)
	resnetName = regexp.MustCompile(`^(conv1|bn1|layer[1-4]\.[0-9]+)\.`)
)

// caffeModules maps the parts of a Caffe bottleneck to convolution and
// normalisation of torchvision's.
var caffeModules = map[string][2]string{
	"reduce": {"conv1", "bn1"}, "conv3x3": {"conv2", "bn2"}, "increase": {"conv3", "bn3"},
	"shortcut": {"downsample.0", "downsample.1"}, "proj": {"downsample.0", "downsample.1"},
}

// jfzModules maps the head of JFZ's networks to VAINF's.
var jfzModules = [][2]string{
	{"aspp.global_avg_pool.", "aspp.convs.4."}, {"aspp.conv1.", "aspp.project.0."}, {"aspp.bn1.", "aspp.project.1."},
	{"decoder.conv1.", "project.0."}, {"decoder.bn1.", "project.1."}, {"decoder.last_conv.", "classifier."},
}

// Rename gives the variable for a tensor of a weight file, both as state-dict
// names: base.layer3.block1.reduce.conv.weight of deeplab-pytorch and
// layer2.0.conv1.weight of torchvision are both
// backbone.layer2.0.conv1.weight. Unknown names stay as they are; "" means a
// tensor that is no weight (num_batches_tracked).
func Rename(tensor string) string {
	if strings.HasSuffix(tensor, ".num_batches_tracked") {
		return ""
	}
	name := wrappers.ReplaceAllString(tensor, "")
	if m := caffeBlock.FindStringSubmatch(name); m != nil {
		stage, _ := strconv.Atoi(m[1])
		block, _ := strconv.Atoi(m[2])
		return fmt.Sprintf("%s.layer%d.%d.%s.%s", backboneScope, stage-1, block-1, caffeModules[m[3]][part(m[4])], m[5])
	}
	if m := caffeStem.FindStringSubmatch(name); m != nil {
		return backboneScope + "." + [2]string{"conv1", "bn1"}[part(m[1])] + "." + m[2]
	}
	if m := v2Head.FindStringSubmatch(name); m != nil {
		return asppScope + ".c" + m[1] + "." + m[2]
	}
	if m := jfzBranch.FindStringSubmatch(name); m != nil {
		branch, _ := strconv.Atoi(m[1])
		return fmt.Sprintf("%s.aspp.convs.%d.%d.%s", headScope, branch-1, part(m[2]), m[3])
	}
	for _, r := range jfzModules {
		if rest, ok := strings.CutPrefix(name, r[0]); ok {
			return headScope + "." + r[1] + rest
		}
	}
	if resnetName.MatchString(name) {
		return backboneScope + "." + name
	}
	return name
}

// part is 0 for a convolution and 1 for its normalisation.
func part(kind string) int {
	if kind == "bn" {
		return 1
	}
	return 0
}
