package mask2former

import (
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/layers"
)

// perLevel is how many places of a map a head reads for each token.
const perLevel = 4

// places are where the tokens of all maps lie in each map.
type places struct {
	sizes  [][2]int // height and width of the maps
	starts []int    // the first token of each
	tokens int
}

func newPlaces(sizes [][2]int) *places {
	p := &places{sizes: sizes}
	for _, s := range sizes {
		p.starts = append(p.starts, p.tokens)
		p.tokens += s[0] * s[1]
	}
	return p
}

// along is where each token lies along an axis, 0 for rows and 1 for columns, in
// pixels of each map: [1, tokens, 1, maps, 1].
func (p *places) along(g *Graph, axis int) *Node {
	flat := make([]float32, 0, p.tokens*len(p.sizes))
	for _, from := range p.sizes {
		for i := range from[0] * from[1] {
			at := [2]int{i / from[1], i % from[1]}[axis]
			for _, to := range p.sizes {
				flat = append(flat, float32((float64(at)+0.5)/float64(from[axis])*float64(to[axis])-0.5))
			}
		}
	}
	return ConstTensor(g, tensors.FromFlatDataAndDimensions(flat, 1, p.tokens, 1, len(p.sizes), 1))
}

// perMap is a constant that differs between maps, [1, 1, 1, maps, 1].
func (p *places) perMap(g *Graph, of func(level int) int) *Node {
	flat := make([]float32, len(p.sizes))
	for i := range flat {
		flat[i] = float32(of(i))
	}
	return ConstTensor(g, tensors.FromFlatDataAndDimensions(flat, 1, 1, 1, len(flat), 1))
}

// deformable is multi-scale deformable attention (Zhu et al., "Deformable DETR",
// ICLR 2021): each head of each token of query [batch, tokens, channels] reads
// value [batch, tokens, channels] at a few places of every map, beside its own.
func (n *network) deformable(net layers.Net, scope *model.Scope, query, value *Node, p *places) *Node {
	g, batch, each := query.Graph(), query.Shape().Dim(0), len(p.sizes)*perLevel
	value = net.Dense(scope, "value_proj", value, n.Channels, true, xavier(n.Channels, n.Channels))
	// Columns before rows, for each place.
	weight := Reshape(net.Parameter(scope, g, "sampling_offsets", "weight", zero, n.Heads*each*2, n.Channels), n.Heads*each, 2, n.Channels)
	bias := Reshape(net.Parameter(scope, g, "sampling_offsets", "bias", n.spokes(), n.Heads*each*2), n.Heads*each, 2)
	at := func(axis int) *Node {
		o := layers.Affine(query, Reshape(Slice(weight, AxisRange(), AxisElem(1-axis)), n.Heads*each, n.Channels), Reshape(Slice(bias, AxisRange(), AxisElem(1-axis)), n.Heads*each))
		return Add(Reshape(o, batch, p.tokens, n.Heads, len(p.sizes), perLevel), p.along(g, axis))
	}
	weights := layers.Affine(query, net.Parameter(scope, g, "attention_weights", "weight", zero, n.Heads*each, n.Channels),
		net.Parameter(scope, g, "attention_weights", "bias", zero, n.Heads*each))
	weights = layers.SoftmaxLast(Reshape(weights, batch, p.tokens, n.Heads, each))
	height := p.perMap(g, func(i int) int { return p.sizes[i][0] })
	width := p.perMap(g, func(i int) int { return p.sizes[i][1] })
	start := p.perMap(g, func(i int) int { return p.starts[i] })
	rows := batch * p.tokens * n.Heads
	var index, shares []*Node
	for _, c := range corners(at(0), at(1), height, width) {
		// Rows of value are one token's head each.
		i := ConvertDType(Add(c.index, start), dtypes.Int32)
		i = Add(MulScalar(i, n.Heads), headRows(g, batch, p.tokens, n.Heads))
		index = append(index, Reshape(i, rows, each))
		shares = append(shares, Reshape(Mul(Reshape(c.weight, batch, p.tokens, n.Heads, each), weights), rows, each))
	}
	y := readRows(Reshape(value, rows, n.Channels/n.Heads), Concatenate(index, 1), Concatenate(shares, 1))
	return net.Dense(scope, "output_proj", Reshape(y, batch, p.tokens, n.Channels), n.Channels, true, xavier(n.Channels, n.Channels))
}

// headRows is the first row of each image plus the number of the head,
// [batch, 1, heads, 1, 1].
func headRows(g *Graph, batch, tokens, heads int) *Node {
	flat := make([]int32, 0, batch*heads)
	for b := range batch {
		for h := range heads {
			flat = append(flat, int32(b*tokens*heads+h))
		}
	}
	return ConstTensor(g, tensors.FromFlatDataAndDimensions(flat, batch, 1, heads, 1, 1))
}

// readRows is the weighted sum of rows of table [rows, width], by index and
// weight [n, k]: [n, width]. The backward pass reads the rows again instead of
// keeping k of them for each n.
func readRows(table, index, weight *Node) *Node {
	n, k, width := index.Shape().Dim(0), index.Shape().Dim(1), table.Shape().Dim(1)
	at := Reshape(index, n*k, 1)
	read := func(table *Node) *Node { return Reshape(Gather(table, at), n, k, width) }
	sum := func(rows, weight *Node) *Node {
		y := DotGeneral(Reshape(weight, n, 1, k), []int{2}, []int{0}, rows, []int{1}, []int{0})
		return Reshape(y, n, width)
	}
	return layers.WithGradient([]*Node{table, weight}, func(in []*Node) *Node { return sum(read(in[0]), in[1]) },
		func(_, dy *Node) []*Node {
			dy = Reshape(dy, n, 1, width)
			dw := DotGeneral(dy, []int{2}, []int{0}, read(layers.Again(table, dy)), []int{2}, []int{0})
			rows := Mul(Reshape(weight, n, k, 1), dy)
			dt := ScatterSum(ZerosLike(table), at, Reshape(rows, n*k, width), false, false)
			return []*Node{dt, Reshape(dw, n, k)}
		})
}

// corner is one of four pixels about a place.
type corner struct {
	index  *Node // row · width + column, within the map
	weight *Node // of it; 0 beyond the map
}

// corners are the pixels about places y, x, in pixels of maps of a height and a
// width, all broadcast to y's shape, and their weights in bilinear sampling. What
// lies beyond a map counts as zero.
func corners(y, x, height, width *Node) []corner {
	along := func(p, length *Node) (at, weight [2]*Node) {
		low := StopGradient(Floor(p))
		part := Sub(p, low)
		for i := range at {
			c := AddScalar(low, float64(i))
			w := part
			if i == 0 {
				w = OneMinus(part)
			}
			last := AddScalar(length, -1)
			in := Mul(step(c), step(Sub(last, c)))
			at[i], weight[i] = Min(MaxScalar(c, 0), last), Mul(w, in)
		}
		return at, weight
	}
	rows, wy := along(y, height)
	columns, wx := along(x, width)
	var all []corner
	for i := range rows {
		for j := range columns {
			all = append(all, corner{StopGradient(Add(Mul(rows[i], width), columns[j])), Mul(wy[i], wx[j])})
		}
	}
	return all
}

// step is 1 where a whole number is 0 or more, else 0.
func step(x *Node) *Node {
	return StopGradient(MaxScalar(MinScalar(AddScalar(x, 1), 1), 0))
}

func zero(*rand.Rand) float64 { return 0 }

// spokes are the offsets that heads begin with: each looks into a direction of
// its own, from one place to the next by a pixel.
func (n *network) spokes() func(*rand.Rand) float64 {
	i := 0
	return func(*rand.Rand) float64 {
		axis, point, head := i%2, i/2%perLevel, i/(2*perLevel*levels)
		i++
		turn := 2 * math.Pi * float64(head) / float64(n.Heads)
		v := [2]float64{math.Cos(turn), math.Sin(turn)}
		return v[axis] / max(math.Abs(v[0]), math.Abs(v[1])) * float64(point+1)
	}
}
