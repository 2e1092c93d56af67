package vit

import (
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
)

// PatchOf is the side of the patches that a graph's first convolution cuts, 0
// where it cuts none.
func PatchOf(g *protos.GraphProto) int {
	for _, n := range g.Node {
		if !slices.Contains([]string{"Conv", "ConvInteger", "QLinearConv"}, n.OpType) {
			continue
		}
		attr := map[string][]int64{}
		for _, a := range n.Attribute {
			attr[a.Name] = a.Ints
		}
		k, s := attr["kernel_shape"], attr["strides"]
		if len(k) == 2 && len(s) == 2 && k[0] == k[1] && slices.Equal(k, s) && k[0] >= 4 && k[0] <= 1024 {
			return int(k[0])
		}
		return 0
	}
	return 0
}
