package mask2former

import (
	"fmt"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/layers"
)

// queries is the transformer decoder: what the queries say at first, and after
// each layer, of features [batch, h, w, channels] and the maps of the pixel
// decoder.
func (n *network) queries(net layers.Net, scope *model.Scope, features *Node, maps []*Node) (all []prediction) {
	g, batch := features.Graph(), features.Shape().Dim(0)
	normal := (*rand.Rand).NormFloat64
	table := func(module string, rows int) *Node {
		return net.Parameter(scope, g, module, "weight", normal, rows, n.Channels)
	}
	level := table("level_embed", levels)
	var memory, keys []*Node
	for i, m := range maps {
		h, w := m.Shape().Dim(1), m.Shape().Dim(2)
		m = Add(Reshape(m, batch, h*w, n.Channels), InsertAxes(Slice(level, AxisRange(i, i+1)), 0))
		memory = append(memory, m)
		keys = append(keys, Add(m, InsertAxes(sine(g, h, w, n.Channels), 0)))
	}
	position := InsertAxes(table("query_embed", n.Queries), 0)
	x := BroadcastToDims(InsertAxes(table("query_feat", n.Queries), 0), batch, n.Queries, n.Channels)
	for i := 0; ; i++ {
		p := n.say(net, scope, x, features)
		all = append(all, p)
		if i == n.Options.Layers {
			return all
		}
		l := i % levels
		hidden := n.hidden(p.masks, maps[l].Shape().Dim(1), maps[l].Shape().Dim(2))
		cross := scope.At("transformer_cross_attention_layers").At("%d", i)
		y := n.attend(net, cross.At("multihead_attn"), Add(x, position), keys[l], memory[l], hidden)
		x = net.LayerNorm(cross, "norm", Add(x, y))
		self := scope.At("transformer_self_attention_layers").At("%d", i)
		q := Add(x, position)
		y = n.attend(net, self.At("self_attn"), q, q, x, nil)
		x = net.LayerNorm(self, "norm", Add(x, y))
		ffn := scope.At("transformer_ffn_layers").At("%d", i)
		y = net.Dense(ffn, "linear1", x, n.FeedForward, true, xavier(n.Channels, n.FeedForward))
		y = net.Dense(ffn, "linear2", layers.ReLU(y), n.Channels, true, xavier(n.Channels, n.FeedForward))
		x = net.LayerNorm(ffn, "norm", Add(x, y))
	}
}

// say is the prediction of queries x [batch, queries, channels].
func (n *network) say(net layers.Net, scope *model.Scope, x, features *Node) prediction {
	x = net.LayerNorm(scope, "decoder_norm", x)
	classes := net.Linear(scope, "class_embed", x, n.classes+1)
	const steps = 3
	for i := range steps {
		x = net.Linear(scope, fmt.Sprintf("mask_embed.layers.%d", i), x, n.Channels)
		if i < steps-1 {
			x = layers.ReLU(x)
		}
	}
	b, h, w := features.Shape().Dim(0), features.Shape().Dim(1), features.Shape().Dim(2)
	masks := DotGeneral(Reshape(features, b, h*w, n.Channels), []int{2}, []int{0}, x, []int{2}, []int{0})
	return prediction{classes, Reshape(masks, b, h, w, n.Queries)}
}

// veil is added to the scores of what a query must not see.
const veil = -1e9

// hidden is veil where the mask of a query, at a map's size, is off, else 0:
// [batch, 1, queries, h·w]. A query whose mask is empty sees all.
func (n *network) hidden(masks *Node, h, w int) *Node {
	batch := masks.Shape().Dim(0)
	m := Reshape(layers.Resize(StopGradient(masks), h, w, false), batch, h*w, n.Queries)
	m = TransposeAllAxes(m, 0, 2, 1)
	zero := ScalarZero(m.Graph(), m.DType())
	off := LessThan(m, zero)
	empty := LessThan(ReduceAndKeep(m, ReduceMax, 2), zero)
	seen := LogicalOr(LogicalNot(off), BroadcastToDims(empty, m.Shape().Dimensions...))
	return StopGradient(InsertAxes(Where(seen, zero, Scalar(m.Graph(), m.DType(), veil)), 1))
}

// attend is attention of several heads with projections of query, key and value
// [batch, tokens, channels]; hidden, if not nil, is added to the scores.
func (n *network) attend(net layers.Net, scope *model.Scope, query, key, value, hidden *Node) *Node {
	g, c := query.Graph(), n.Channels
	std := xavier(c, c)
	weight := net.Parameter(scope, g, "", "in_proj_weight", func(r *rand.Rand) float64 { return r.NormFloat64() * std }, 3*c, c)
	bias := net.Parameter(scope, g, "", "in_proj_bias", zero, 3*c)
	project := func(x *Node, part int) *Node {
		rows := AxisRange(part*c, part*c+c)
		return layers.SplitHeads(layers.Affine(x, Slice(weight, rows), Slice(bias, rows)), n.Heads)
	}
	var veiled func(scores *Node) *Node
	if hidden != nil {
		veiled = func(scores *Node) *Node {
			d := scores.Shape().Dimensions
			return Reshape(Add(Reshape(scores, d[0]/n.Heads, n.Heads, d[1], d[2]), hidden), d...)
		}
	}
	y := layers.JoinHeads(layers.Attend(project(query, 0), project(key, 1), project(value, 2), veiled), n.Heads)
	return net.Dense(scope, "out_proj", y, c, true, std)
}
