// Package maxflow finds minimum cuts on 8-connected pixel grids with the
// algorithm of Boykov and Kolmogorov (PAMI 2004): two search trees that are
// kept and repaired between augmentations. Memory is 50 bytes a pixel, in flat
// arrays that are reused from image to image.
package maxflow

// Directions to the eight neighbours, in reading order. The opposite of
// direction d is 7-d.
const (
	NW = iota
	N
	NE
	W
	E
	SW
	S
	SE
)

// Parent marks beside the directions 0..7.
const (
	terminal = 8 + iota // the node hangs on the source or the sink itself
	orphan              // its parent edge is saturated
	none                // it is in no tree
)

// The search tree that a node is in.
const (
	free = iota
	source
	sink
)

// Grid is a flow network of w×h pixels, each joined to its eight neighbours,
// to a source and to a sink. The zero value is ready for Reset. It is not safe
// for concurrent use.
//
// Capacities are integers, so cuts are exact and equal on every machine. Each
// must lie in 0 … 2³⁰.
type Grid struct {
	w, h, stride int
	offset       [8]int32
	// A border of one node without edges lies around the pixels, so that the
	// inner loops need no test for the image's edge.
	caps    []int32 // residual capacity of node i in direction d, at i*8+d
	term    []int32 // residual capacity from the source; negative: to the sink
	tree    []uint8
	parent  []uint8
	stamp   []int32 // the time at which dist was right
	dist    []int32 // steps to the terminal
	next    []int32 // queue of active nodes: the follower, itself at the end, -1 outside
	first   int32
	last    int32
	orphans []int32
	time    int32
	flow    int64
}

// Reset makes the grid w×h pixels large, without any capacity. Buffers are
// kept where they are large enough.
func (g *Grid) Reset(w, h int) {
	g.w, g.h, g.stride = w, h, w+2
	s := int32(g.stride)
	g.offset = [8]int32{-s - 1, -s, -s + 1, -1, 1, s - 1, s, s + 1}
	n := (w + 2) * (h + 2)
	g.caps = cleared(g.caps, n*8)
	g.term = cleared(g.term, n)
	g.tree = cleared(g.tree, n)
	g.parent = cleared(g.parent, n)
	g.stamp = cleared(g.stamp, n)
	g.dist = cleared(g.dist, n)
	g.next = cleared(g.next, n)
	g.flow = 0
}

func cleared[T any](buf []T, n int) []T {
	if cap(buf) < n {
		return make([]T, n)
	}
	buf = buf[:n]
	clear(buf)
	return buf
}

func (g *Grid) node(x, y int) int { return (y+1)*g.stride + x + 1 }

// SetTerminal sets what it costs to part pixel (x, y) from the source and
// from the sink. Only the difference moves the cut, so it alone is kept.
func (g *Grid) SetTerminal(x, y int, fromSource, toSink int32) {
	g.term[g.node(x, y)] = fromSource - toSink
	g.flow += int64(min(fromSource, toSink))
}

// SetEdge sets the capacity between pixel (x, y) and its neighbour in the
// direction dir, the same both ways. The neighbour must lie inside the grid.
func (g *Grid) SetEdge(x, y, dir int, capacity int32) {
	i := g.node(x, y)
	g.caps[i*8+dir] = capacity
	g.caps[(i+int(g.offset[dir]))*8+7-dir] = capacity
}

// SaveEdges copies the capacities of all edges into buf, to be given to
// RestoreEdges before the next cut of the same grid.
func (g *Grid) SaveEdges(buf []int32) []int32 { return append(buf[:0], g.caps...) }

// RestoreEdges sets all edges from what SaveEdges returned and forgets the
// terminals, so that the grid is ready for another cut.
func (g *Grid) RestoreEdges(saved []int32) {
	copy(g.caps, saved)
	clear(g.term)
	g.flow = 0
}

// OnSourceSide tells, after MaxFlow, whether pixel (x, y) is on the source's
// side of the minimum cut: the smallest such side, where several cuts are
// minimal.
func (g *Grid) OnSourceSide(x, y int) bool { return g.tree[g.node(x, y)] == source }
