package onnximport

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/nn"
	"github.com/gomlx/onnx-gomlx/onnx/parser"
	"google.golang.org/protobuf/proto"

	"wsss/models/backend"
	"wsss/models/onnximport/legalise"
)

// own are the ops that are built here and not by the importer, whose versions
// do not use what engines have for them.
var own = map[string]func(n *legalise.Node, in []*graph.Node) *graph.Node{
	"LayerNormalization": layerNorm,
	"GatherSum":          gatherSum,
}

// gatherSum is Σₖ weight [M, K]·table [R, C][index [M, K]], as a product where
// the engine does not join multiplication and sum by itself.
func gatherSum(_ *legalise.Node, in []*graph.Node) *graph.Node {
	table, index, weight := in[0], in[1], in[2]
	engine := backend.KindOf(table.Graph().Backend())
	dtype := dtypes.Int64
	if engine == backend.Go {
		dtype = dtypes.Int32
	}
	rows := graph.Gather(table, graph.InsertAxes(graph.ConvertDType(index, dtype), -1))
	if engine == backend.XLA {
		return graph.ReduceSum(graph.Mul(rows, graph.InsertAxes(weight, -1)), 1)
	}
	sum := graph.DotGeneral(graph.InsertAxes(weight, 1), []int{2}, []int{0}, rows, []int{1}, []int{0})
	return graph.Squeeze(sum, 1)
}

func layerNorm(n *legalise.Node, in []*graph.Node) *graph.Node {
	axes := normAxes(n, in[0])
	var bias *graph.Node
	if len(in) > 2 {
		bias = in[2]
	}
	return nn.LayerNorm(in[0], axes, normEpsilon(n), in[1], bias, nil)
}

// normAxes are those that a layer norm is over.
func normAxes(n *legalise.Node, x *graph.Node) (axes []int) {
	for a := legalise.Axis(n.Int("axis", -1), x.Rank()); a < x.Rank(); a++ {
		axes = append(axes, a)
	}
	return axes
}

func normEpsilon(n *legalise.Node) float64 { return n.Float("epsilon", 1e-5) }

// segments builds a program in pieces, between the ops that are built here.
type segments struct {
	model   *Model
	g       *graph.Graph
	way     Way
	given   map[string]*graph.Node  // what is there: inputs, weights, results of earlier pieces
	pending []*legalise.Node        // the piece that is being gathered
	uses    map[*legalise.Value]int // how often nodes to come, and the results, use a value
}

// buildSegments returns the nodes of the program's outputs; given are those of
// its inputs and weights.
func (m *Model) buildSegments(g *graph.Graph, prog *legalise.Program, given map[string]*graph.Node, way Way) ([]*graph.Node, error) {
	s := &segments{model: m, g: g, way: way, given: given, uses: map[*legalise.Value]int{}}
	for _, n := range prog.Nodes {
		s.count(n, 1)
	}
	for _, v := range prog.Outputs {
		s.uses[v]++
	}
	for _, n := range prog.Nodes {
		build := own[n.Op]
		switch learnt := trained[n.Op]; {
		case s.way.Half && isProduct(n):
			build = s.product
		case s.way.training && learnt != nil && n.Out[0].DType == legalise.Float:
			build = learnt
		}
		if build == nil {
			s.pending = append(s.pending, n)
			continue
		}
		in, err := s.nodes(n.In)
		if err != nil {
			return nil, err
		}
		s.count(n, -1)
		s.given[n.Out[0].Name] = build(n, in)
	}
	return s.nodes(prog.Outputs)
}

func (s *segments) count(n *legalise.Node, k int) {
	for _, v := range n.In {
		s.uses[v] += k
	}
}

// nodes returns the nodes of values, for which it builds the pending piece.
func (s *segments) nodes(values []*legalise.Value) ([]*graph.Node, error) {
	if err := s.flush(values); err != nil {
		return nil, err
	}
	out := make([]*graph.Node, len(values))
	for i, v := range values {
		out[i] = s.given[v.Name]
	}
	return out, nil
}

// flush builds the pending piece: what it makes that is used later, and the
// constants among wanted.
func (s *segments) flush(wanted []*legalise.Value) error {
	piece := &legalise.Program{Nodes: s.pending}
	for _, n := range s.pending {
		s.count(n, -1)
	}
	made := map[*legalise.Value]bool{}
	for _, n := range s.pending {
		for _, v := range n.In {
			if v != nil && v.Const == nil && v.Weight == nil && !made[v] && !slices.Contains(piece.Inputs, v) {
				piece.Inputs = append(piece.Inputs, v)
			}
		}
		for _, v := range n.Out {
			made[v] = true
			if s.uses[v] > 0 {
				piece.Outputs = append(piece.Outputs, v)
			}
		}
	}
	for _, v := range wanted {
		if s.given[v.Name] == nil && v.Const != nil && !slices.Contains(piece.Outputs, v) {
			piece.Outputs = append(piece.Outputs, v)
		}
	}
	s.pending = nil
	if len(piece.Outputs) == 0 {
		return nil
	}
	outs, err := s.model.convert(s.g, piece, s.given)
	if err != nil {
		return err
	}
	for i, v := range piece.Outputs {
		s.given[v.Name] = outs[i]
	}
	return nil
}

// convert imports a piece.
func (m *Model) convert(g *graph.Graph, piece *legalise.Program, given map[string]*graph.Node) ([]*graph.Node, error) {
	p, err := piece.Proto()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Path(), err)
	}
	data, err := proto.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Path(), err)
	}
	imported, err := parser.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Path(), err)
	}
	defer imported.Close()
	in := map[string]*graph.Node{}
	for _, v := range slices.Concat(piece.Inputs, piece.Weights()) {
		in[v.Name] = given[v.Name]
	}
	names := make([]string, len(piece.Outputs))
	for i, v := range piece.Outputs {
		names[i] = v.Name
	}
	return imported.CallGraph(nil, g, in, names...), nil
}
