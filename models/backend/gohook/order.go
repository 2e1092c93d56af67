package gohook

import (
	"cmp"
	"slices"

	"github.com/gomlx/compute/internal/gobackend"
	"github.com/gomlx/compute/internal/gobackend/passes"
)

func init() { gobackend.RegisterTransformation(101, asBuilt{}) } // before GoMLX's at 100

// asBuilt fuses broadcasts as GoMLX does, and then restores the order in which
// the graph was built. GoMLX puts the broadcasts that it makes at the end, and
// what depends on them after everything that does not: of a training step the
// whole backward pass, after the columns of all convolutions and the masks of
// all ReLUs that it will need at some time.
type asBuilt struct{}

func (asBuilt) Name() string { return "order as built" }

func (asBuilt) Apply(b *gobackend.Builder) (dagModified bool, err error) {
	rank := map[*gobackend.Node]int{}
	for _, f := range b.Functions {
		for i, node := range f.Nodes {
			rank[node] = i
		}
	}
	for again := true; again && err == nil; {
		again, err = (&passes.ImplicitBroadcastFusion{}).Apply(b)
	}
	for _, f := range b.Functions {
		// New nodes have no rank yet; each broadcasts a node before it.
		for _, node := range f.Nodes {
			if _, old := rank[node]; !old {
				rank[node] = rank[node.Inputs[0]]
			}
		}
		slices.SortStableFunc(f.Nodes, func(x, y *gobackend.Node) int { return cmp.Compare(rank[x], rank[y]) })
		for i, node := range f.Nodes {
			node.Index = i
		}
	}
	return false, err
}
