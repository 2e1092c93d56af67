package deeplab

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// wrappers are the names under which training scripts save a network.
var wrappers = regexp.MustCompile(`^((state_dict|model_state|model_state_dict|model|module|net|base|scale|Scale|Scale1|resnet[0-9]+)\.)+`)

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
