package resnet

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"wsss/configs"
	"wsss/models/weights"
)

var (
	caffeBlock   = regexp.MustCompile(`^layer([2-5])\.block([0-9]{1,2})\.(reduce|conv3x3|increase|shortcut|proj)\.(conv|bn)\.(\w+)$`)
	caffeStem    = regexp.MustCompile(`^layer1\.conv1\.(conv|bn)\.(\w+)$`)
	huggingStem  = regexp.MustCompile(`^embedder\.embedder\.(convolution|normalization)\.(\w+)$`)
	huggingBlock = regexp.MustCompile(`^encoder\.stages\.([0-3])\.layers\.([0-9]{1,2})\.(?:layer\.([0-2])|shortcut)\.(convolution|normalization)\.(\w+)$`)
	metaStem     = regexp.MustCompile(`^stem\.conv1\.(norm\.)?(\w+)$`)
	metaBlock    = regexp.MustCompile(`^res([2-5])\.([0-9]{1,2})\.(?:conv([1-3])|shortcut)\.(norm\.)?(\w+)$`)
	within       = regexp.MustCompile(`^(backbone\.|resnet\.|(model\.)?pixel_level_module\.encoder\.)+`)
	ownName      = regexp.MustCompile(`^(conv1|bn1|layer[1-4]\.[0-9]+)\.`)
	normModule   = regexp.MustCompile(`(^|/)(bn[123]|downsample/1)/(weight|bias)$`)
)

// caffeModules maps the parts of a Caffe bottleneck to convolution and
// normalisation of torchvision's.
var caffeModules = map[string][2]string{
	"reduce": {"conv1", "bn1"}, "conv3x3": {"conv2", "bn2"}, "increase": {"conv3", "bn3"},
	"shortcut": {"downsample.0", "downsample.1"}, "proj": {"downsample.0", "downsample.1"},
}

// Rename is models.GroupBackbone's. It knows the names of torchvision
// (layer2.0.conv1.weight), of networks converted from Caffe
// (layer3.block1.reduce.conv.weight), of Detectron2 (res3.0.conv1.norm.weight) and
// of Hugging Face (encoder.stages.1.layers.0.layer.0.convolution.weight).
func (Config) Rename(tensor string) (name string, ok bool) {
	if m := caffeBlock.FindStringSubmatch(tensor); m != nil {
		stage, _ := strconv.Atoi(m[1])
		block, _ := strconv.Atoi(m[2])
		return fmt.Sprintf("layer%d.%d.%s.%s", stage-1, block-1, caffeModules[m[3]][part(m[4])], m[5]), true
	}
	if m := caffeStem.FindStringSubmatch(tensor); m != nil {
		return [2]string{"conv1", "bn1"}[part(m[1])] + "." + m[2], true
	}
	if name, ok := foreign(within.ReplaceAllString(tensor, "")); ok {
		return name, true
	}
	return tensor, ownName.MatchString(tensor)
}

// foreign gives the name for one of Detectron2's or Hugging Face's.
func foreign(tensor string) (name string, ok bool) {
	module := func(first int, stage, block, conv string, norm bool, leaf string) (string, bool) {
		n, _ := strconv.Atoi(stage)
		kind, at := "conv", conv
		if conv == "" {
			kind, at = "downsample.", "0"
		}
		switch {
		case norm && conv == "":
			at = "1"
		case norm:
			kind = "bn"
		}
		return fmt.Sprintf("layer%d.%s.%s%s.%s", n-first+1, block, kind, at, leaf), true
	}
	if m := huggingStem.FindStringSubmatch(tensor); m != nil {
		return map[string]string{"convolution": "conv1.", "normalization": "bn1."}[m[1]] + m[2], true
	}
	if m := metaStem.FindStringSubmatch(tensor); m != nil {
		return map[bool]string{false: "conv1.", true: "bn1."}[m[1] != ""] + m[2], true
	}
	if m := metaBlock.FindStringSubmatch(tensor); m != nil {
		return module(2, m[1], m[2], m[3], m[4] != "", m[5])
	}
	if m := huggingBlock.FindStringSubmatch(tensor); m != nil {
		conv := ""
		if m[3] != "" {
			conv = string(m[3][0] + 1)
		}
		return module(0, m[1], m[2], conv, m[4] == "normalization", m[5])
	}
	return "", false
}

// part is 0 for a convolution and 1 for its normalisation.
func part(kind string) int {
	if kind == "bn" {
		return 1
	}
	return 0
}

// CheckWeights is models.GroupBackbone's: a file with Caffe's names needs Caffe's
// network, stride in the 1×1 convolution and BGR input.
func (Config) CheckWeights(m weights.Mapping, t configs.Train) error {
	for _, p := range m.Pairs {
		if !caffeBlock.MatchString(weights.Unwrap(p.Tensor)) {
			continue
		}
		if t.StrideIn != "1x1" {
			return fmt.Errorf("the file was converted from Caffe: it needs train.network.stride_in = \"1x1\", not %q", t.StrideIn)
		}
		if t.Input != "caffe" {
			return fmt.Errorf("the file was converted from Caffe: it needs train.network.input = \"caffe\", not %q", t.Input)
		}
		return nil
	}
	return nil
}

// IsNorm is models.GroupBackbone's.
func (Config) IsNorm(path string) bool { return normModule.MatchString(path) }

// Stage is models.GroupBackbone's.
func (Config) Stage(path string) int {
	rest, ok := strings.CutPrefix(path, "layer")
	if !ok {
		return 0
	}
	number, _, _ := strings.Cut(rest, "/")
	stage, _ := strconv.Atoi(number)
	return stage
}

// Detect tells the network from the shapes of a weight file by the names of
// Rename; ok is false where they are those of no ResNet.
func Detect(shape map[string][]int) (name string, width float64, err error) {
	blocks := 0
	for shape[fmt.Sprintf("layer3.%d.conv1.weight", blocks)] != nil {
		blocks++
	}
	_, bottleneck := shape["layer1.0.conv3.weight"]
	depth := map[int]string{2: "resnet18", 6: "resnet34"}
	if bottleneck {
		depth = map[int]string{6: "resnet50", 23: "resnet101"}
	}
	if depth[blocks] == "" {
		return "", 0, fmt.Errorf("a ResNet of %d blocks in its third stage: allowed are ResNet-18, 34, 50 and 101", blocks)
	}
	return depth[blocks], float64(shape["conv1.weight"][0]) / 64, nil
}
