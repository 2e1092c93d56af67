package deeplab

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/layers"
)

// v2Rates are the dilations of the four branches at output stride 8; they
// halve at 16 (docs/sources.md §8.1).
var v2Rates = []int{6, 12, 18, 24}

// v2HeadStd is the deviation of the head's initial weights (docs/sources.md §8.1).
const v2HeadStd = 0.01

// v1 is DeepLab-v1: one 1×1 classifier of the backbone's last stage.
func (n *network) v1(net layers.Net, scope *model.Scope, images *Node) *Node {
	x := n.stages(net, scope, images)[3]
	return ConvertDType(net.Conv(scope, fcScope, x, n.classes, 1, true, v2HeadStd, layers.ConvOptions{}), images.DType())
}

// v2 is DeepLab-v2: [batch, h, w, 3] to logits of the backbone's output stride.
func (n *network) v2(net layers.Net, scope *model.Scope, images *Node) *Node {
	x := n.stages(net, scope, images)[3]
	head := scope.At(asppScope)
	var sum *Node
	for i, rate := range v2Rates {
		d := rate * 8 / n.stride
		y := net.Conv(head, fmt.Sprintf("c%d", i), x, n.classes, 3, true, v2HeadStd, layers.ConvOptions{Dilation: d, Pad: d})
		y = ConvertDType(y, images.DType())
		if sum == nil {
			sum = y
		} else {
			sum = Add(sum, y)
		}
	}
	return sum
}
