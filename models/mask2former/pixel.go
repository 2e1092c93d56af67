package mask2former

import (
	"fmt"
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/layers"
)

// pixels is the pixel decoder: the features of every pixel at stride 4, [batch,
// h, w, channels], and the maps of strides 32, 16 and 8.
func (n *network) pixels(net layers.Net, scope *model.Scope, stages [models.Stages]*Node) (features *Node, maps []*Node) {
	g, batch := stages[0].Graph(), stages[0].Shape().Dim(0)
	embed := net.Parameter(scope, g, "transformer", "level_embed", (*rand.Rand).NormFloat64, levels, n.Channels)
	var sizes [][2]int
	var tokens, positions []*Node
	for level := range levels {
		s := stages[models.Stages-1-level]
		h, w, c := s.Shape().Dim(1), s.Shape().Dim(2), s.Shape().Dim(3)
		sizes = append(sizes, [2]int{h, w})
		module := fmt.Sprintf("input_proj.%d", level)
		x := net.Conv(scope, module+".0", s, n.Channels, 1, true, xavier(c, n.Channels), layers.ConvOptions{})
		x = net.GroupNorm(scope, module+".1", x, groups)
		tokens = append(tokens, Reshape(x, batch, h*w, n.Channels))
		positions = append(positions, Add(sine(g, h, w, n.Channels), Slice(embed, AxisRange(level, level+1))))
	}
	x := Concatenate(tokens, 1)
	position := InsertAxes(Concatenate(positions, 0), 0)
	places := newPlaces(sizes)
	for i := range n.EncoderLayers {
		x = n.encode(net, scope.At("transformer").At("encoder").At("layers").At("%d", i), x, position, places)
	}
	at := 0
	for _, s := range sizes {
		m := Slice(x, AxisRange(), AxisRange(at, at+s[0]*s[1]), AxisRange())
		maps = append(maps, Reshape(m, batch, s[0], s[1], n.Channels))
		at += s[0] * s[1]
	}
	fine := stages[0]
	h, w, c := fine.Shape().Dim(1), fine.Shape().Dim(2), fine.Shape().Dim(3)
	side := net.Conv(scope, "adapter_1", fine, n.Channels, 1, false, xavier(c, n.Channels), layers.ConvOptions{})
	side = net.GroupNorm(scope, "adapter_1.norm", side, groups)
	y := Add(side, layers.Resize(maps[levels-1], h, w, false))
	y = net.Conv(scope, "layer_1", y, n.Channels, 3, false, xavier(9*n.Channels, 9*n.Channels), layers.ConvOptions{Pad: 1})
	y = layers.ReLU(net.GroupNorm(scope, "layer_1.norm", y, groups))
	return net.Conv(scope, "mask_features", y, n.Channels, 1, true, xavier(n.Channels, n.Channels), layers.ConvOptions{}), maps
}

// encode is a layer of the pixel decoder's transformer: x [batch, tokens,
// channels] of all maps, one after the other.
func (n *network) encode(net layers.Net, scope *model.Scope, x, position *Node, places *places) *Node {
	y := n.deformable(net, scope.At("self_attn"), Add(x, position), x, places)
	x = net.LayerNorm(scope, "norm1", Add(x, y))
	y = net.Linear(scope, "linear2", layers.ReLU(net.Linear(scope, "linear1", x, n.EncoderFeedForward)), n.Channels)
	return net.LayerNorm(scope, "norm2", Add(x, y))
}

// sine is the position embedding of a map, [h·w, channels]: sines and cosines of
// the rows, then of the columns, as fractions of a turn, of growing periods.
func sine(g *Graph, h, w, channels int) *Node {
	half := channels / 2
	flat := make([]float32, 0, h*w*channels)
	add := func(i, length int) {
		at := float64(i+1) / (float64(length) + 1e-6) * 2 * math.Pi
		for k := range half {
			v := at / math.Pow(10000, float64(k/2*2)/float64(half))
			if k%2 == 0 {
				flat = append(flat, float32(math.Sin(v)))
			} else {
				flat = append(flat, float32(math.Cos(v)))
			}
		}
	}
	for y := range h {
		for x := range w {
			add(y, h)
			add(x, w)
		}
	}
	return ConstTensor(g, tensors.FromFlatDataAndDimensions(flat, h*w, channels))
}
