package effnet

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models"
	"wsss/models/layers"
	"wsss/models/onnxwrite"
	"wsss/models/weights"
)

func init() {
	for n := range lite {
		models.RegisterBackbone(fmt.Sprintf("efficientnet-lite%d", n), func(o models.BackboneOptions) (models.Backbone, error) {
			c, err := Lite(n)
			if err != nil {
				return nil, err
			}
			c.Width *= cmp.Or(o.Width, 1)
			c.OutputStride, c.Undilated, c.CutAfter, c.Recompute = o.OutputStride, o.Dilation == models.DilateNone, o.CutAfter, o.Recompute
			return backbone{c}, c.Check()
		})
	}
}

// backbone is a network as segmentation networks ask for it: the stages from a
// quarter of the image's side on. The stem, and what has half the side, come
// before the first.
type backbone struct{ Config }

// Stages is models.Backbone's.
func (b backbone) Stages(net layers.Net, scope *model.Scope, images *Node) (out [models.Stages]*Node) {
	all := b.Config.Stages(net, scope, images)
	copy(out[:], all[Stage4:])
	return out
}

var normModule = regexp.MustCompile(`(^|/)_bn[0-2]/(weight|bias)$`)

// IsNorm is models.Backbone's.
func (backbone) IsNorm(path string) bool { return normModule.MatchString(path) }

// Stage is models.Backbone's.
func (b backbone) Stage(path string) int {
	rest, ok := strings.CutPrefix(path, "_blocks/")
	number, _, _ := strings.Cut(rest, "/")
	index, err := strconv.Atoi(number)
	if !ok || err != nil {
		return 0
	}
	for stage, list := range b.plan() {
		if index <= list[len(list)-1].index {
			return stage
		}
	}
	return models.Stages
}

// Rename is models.Backbone's. The head and the classifier are none of it.
func (backbone) Rename(tensor string) (string, bool) {
	name := Rename(tensor)
	root, _, _ := strings.Cut(name, ".")
	return name, root == "_conv_stem" || root == "_bn0" || root == "_blocks"
}

// Adapt is models.WeightAdapter's.
func (backbone) Adapt(src weights.Source) weights.Source { return Adapt(src) }

// CheckWeights is models.Backbone's: names tell nothing beyond their network.
func (backbone) CheckWeights(weights.Mapping, configs.Train) error { return nil }

// ONNX is models.ONNXBackbone's.
func (b backbone) ONNX(g *onnxwrite.Builder, prefix string, x onnxwrite.Value) (out [models.Stages]onnxwrite.Value) {
	defer g.UseEpsilon(NormEpsilon)()
	six := []onnxwrite.Value{g.Float(0), g.Float(6)}
	relu6 := func(x onnxwrite.Value) onnxwrite.Value { return g.Op("Clip", append([]onnxwrite.Value{x}, six...)) }
	x = relu6(g.ConvSame(x, prefix+"_conv_stem", prefix+"_bn0", 2, 1))
	for stage, list := range b.plan() {
		for _, block := range list {
			name, y := fmt.Sprintf("%s_blocks.%d.", prefix, block.index), x
			if block.expand > 1 {
				y = relu6(g.ConvSame(y, name+"_expand_conv", name+"_bn0", 1, 1))
			}
			y = relu6(g.DepthwiseSame(y, name+"_depthwise_conv", name+"_bn1", block.stride, block.dilation))
			y = g.ConvSame(y, name+"_project_conv", name+"_bn2", 1, 1)
			if block.keeps {
				y = g.Op("Add", []onnxwrite.Value{y, x})
			}
			x = y
		}
		if Stage(stage) >= Stage4 {
			out[stage-int(Stage4)] = x
		}
	}
	return out
}
