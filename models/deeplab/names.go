package deeplab

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"wsss/configs"
	"wsss/models"
	"wsss/models/weights"
)

var (
	v2Head    = regexp.MustCompile(`^(?:aspp\.(?:stages\.)?c|layer5\.conv2d_list\.)([0-3])\.(weight|bias)$`)
	jfzBranch = regexp.MustCompile(`^aspp\.aspp([1-4])\.(atrous_conv|bn)\.(\w+)$`)
)

// jfzModules maps the head of JFZ's networks to VAINF's.
var jfzModules = [][2]string{
	{"aspp.global_avg_pool.", "aspp.convs.4."}, {"aspp.conv1.", "aspp.project.0."}, {"aspp.bn1.", "aspp.project.1."},
	{"decoder.conv1.", "project.0."}, {"decoder.bn1.", "project.1."}, {"decoder.last_conv.", "classifier."},
}

// Rename is models.WeightReader's. It knows the names of the DeepLab-v1 and v2
// checkpoints converted from Caffe (deeplab-pytorch, and the older conversion
// with layer5.conv2d_list), of both DeepLab-v3+ of docs/sources.md §8.2, and what the
// backbone knows: base.layer3.block1.reduce.conv.weight of deeplab-pytorch and
// layer2.0.conv1.weight of torchvision are both backbone.layer2.0.conv1.weight.
func (n *network) Rename(tensor string) string {
	if strings.HasSuffix(tensor, ".num_batches_tracked") {
		return ""
	}
	name := weights.Unwrap(tensor)
	if m := v2Head.FindStringSubmatch(name); m != nil {
		return asppScope + ".c" + m[1] + "." + m[2]
	}
	if leaf, ok := strings.CutPrefix(name, "fc8."); ok && n.arch == V1 {
		return fcScope + "." + leaf // VGG's of Caffe
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
	if renamed, ok := models.RenameBackbone(n.backbone, name); ok {
		return renamed
	}
	return name
}

// CheckWeights is models.WeightReader's.
func (n *network) CheckWeights(m weights.Mapping, t configs.Train) error {
	return n.backbone.CheckWeights(m, t)
}

// part is 0 for a convolution and 1 for its normalisation.
func part(kind string) int {
	if kind == "bn" {
		return 1
	}
	return 0
}
