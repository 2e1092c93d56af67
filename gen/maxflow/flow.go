package maxflow

import "math"

// MaxFlow pushes the greatest flow from source to sink and returns it. The
// capacities are used up: set them again before another call.
func (g *Grid) MaxFlow() int64 {
	g.plant()
	active := int32(-1)
	for {
		if active < 0 {
			if active = g.pop(); active < 0 {
				return g.flow
			}
		}
		from, to, dir := g.grow(active)
		if from < 0 {
			active = -1
			continue
		}
		// The trees met; the active node may find more paths afterwards.
		g.time++
		g.augment(from, to, dir)
		g.adopt()
	}
}

// plant starts both trees from the nodes with terminal capacity left.
func (g *Grid) plant() {
	g.first, g.last, g.time = -1, -1, 0
	g.orphans = g.orphans[:0]
	for i, t := range g.term {
		g.next[i] = -1
		g.stamp[i], g.dist[i] = 0, 1
		g.tree[i], g.parent[i] = free, none
		if t == 0 {
			continue
		}
		g.tree[i], g.parent[i] = source, terminal
		if t < 0 {
			g.tree[i] = sink
		}
	}
	// Only nodes that see another tree can grow at first; the rest would fill
	// the queue to no effect.
	for i, t := range g.tree {
		if t == free {
			continue
		}
		for d, off := range g.offset {
			if g.caps[i*8+d] > 0 && g.tree[i+int(off)] != t {
				g.push(int32(i))
				break
			}
		}
	}
}

func (g *Grid) push(i int32) {
	if g.next[i] >= 0 {
		return
	}
	if g.last >= 0 {
		g.next[g.last] = i
	} else {
		g.first = i
	}
	g.last = i
	g.next[i] = i
}

// pop takes the oldest active node that is still in a tree, or -1.
func (g *Grid) pop() int32 {
	for g.first >= 0 {
		i := g.first
		if g.next[i] == i {
			g.first, g.last = -1, -1
		} else {
			g.first = g.next[i]
		}
		g.next[i] = -1
		if g.tree[i] != free {
			return i
		}
	}
	return -1
}

// grow lets the tree of node i take its free neighbours. Where it meets the
// other tree it stops and returns the edge between them: from the source's
// tree to the sink's, in direction dir. from is -1 where it met none.
func (g *Grid) grow(i int32) (from, to int32, dir int) {
	mine := g.tree[i]
	if mine == free {
		return -1, -1, 0
	}
	for d := range 8 {
		j := i + g.offset[d]
		var c int32
		if mine == source {
			c = g.caps[int(i)*8+d]
		} else {
			c = g.caps[int(j)*8+7-d]
		}
		if c == 0 {
			continue
		}
		switch g.tree[j] {
		case free:
			g.tree[j] = mine
			g.parent[j] = uint8(7 - d)
			g.stamp[j], g.dist[j] = g.stamp[i], g.dist[i]+1
			g.push(j)
		case mine:
			// A shorter way to the terminal keeps later paths short.
			if g.stamp[j] <= g.stamp[i] && g.dist[j] > g.dist[i] {
				g.parent[j] = uint8(7 - d)
				g.stamp[j], g.dist[j] = g.stamp[i], g.dist[i]+1
			}
		default:
			if mine == source {
				return i, j, d
			}
			return j, i, 7 - d
		}
	}
	return -1, -1, 0
}

// augment pushes what the path source … from → to … sink can carry. Nodes
// whose parent edge it saturates become orphans.
func (g *Grid) augment(from, to int32, dir int) {
	edge := int(from)*8 + dir
	room := g.caps[edge]
	i := from
	for g.parent[i] != terminal {
		p := i + g.offset[g.parent[i]]
		room = min(room, g.caps[int(p)*8+7-int(g.parent[i])])
		i = p
	}
	room = min(room, g.term[i])
	for i = to; g.parent[i] != terminal; i += g.offset[g.parent[i]] {
		room = min(room, g.caps[int(i)*8+int(g.parent[i])])
	}
	room = min(room, -g.term[i])

	g.caps[edge] -= room
	g.caps[int(to)*8+7-dir] += room
	for i = from; g.parent[i] != terminal; {
		d := int(g.parent[i])
		p := i + g.offset[d]
		g.caps[int(i)*8+d] += room
		down := int(p)*8 + 7 - d
		if g.caps[down] -= room; g.caps[down] == 0 {
			g.bereave(i)
		}
		i = p
	}
	if g.term[i] -= room; g.term[i] == 0 {
		g.bereave(i)
	}
	for i = to; g.parent[i] != terminal; {
		d := int(g.parent[i])
		p := i + g.offset[d]
		g.caps[int(p)*8+7-d] += room
		up := int(i)*8 + d
		if g.caps[up] -= room; g.caps[up] == 0 {
			g.bereave(i)
		}
		i = p
	}
	if g.term[i] += room; g.term[i] == 0 {
		g.bereave(i)
	}
	g.flow += int64(room)
}

func (g *Grid) bereave(i int32) {
	g.parent[i] = orphan
	g.orphans = append(g.orphans, i)
}

// adopt finds every orphan a new parent in its own tree, or frees it.
func (g *Grid) adopt() {
	for k := 0; k < len(g.orphans); k++ {
		i := g.orphans[k]
		if d := g.nearestParent(i); d >= 0 {
			g.parent[i] = uint8(d)
			continue
		}
		g.release(i)
	}
	g.orphans = g.orphans[:0]
}

// treeEdge is the residual capacity of the edge that would join node i to its
// neighbour j, in direction d, as child and parent of the given tree.
func (g *Grid) treeEdge(tree uint8, i, j int32, d int) int32 {
	if tree == source {
		return g.caps[int(j)*8+7-d]
	}
	return g.caps[int(i)*8+d]
}

// nearestParent is the direction to the neighbour with the shortest way to
// the terminal that orphan i could hang on, or -1.
func (g *Grid) nearestParent(i int32) int {
	tree, best, shortest := g.tree[i], -1, int32(math.MaxInt32)
	for d := range 8 {
		j := i + g.offset[d]
		if g.tree[j] != tree || g.treeEdge(tree, i, j, d) == 0 {
			continue
		}
		if n := g.rooted(j); n < shortest {
			best, shortest = d, n
		}
	}
	if best >= 0 {
		g.stamp[i], g.dist[i] = g.time, shortest+1
	}
	return best
}

// rooted counts the steps from node j to its terminal, or MaxInt32 where the
// way ends at an orphan. It marks the way so that it is walked once a time.
func (g *Grid) rooted(j int32) int32 {
	steps := int32(0)
	k := j
	for {
		if g.stamp[k] == g.time {
			steps += g.dist[k]
			break
		}
		steps++
		p := g.parent[k]
		if p == terminal {
			g.stamp[k], g.dist[k] = g.time, 1
			break
		}
		if p == orphan {
			return math.MaxInt32
		}
		k += g.offset[p]
	}
	left := steps
	for k = j; g.stamp[k] != g.time; k += g.offset[g.parent[k]] {
		g.stamp[k], g.dist[k] = g.time, left
		left--
	}
	return steps
}

// release frees orphan i; its children become orphans, and the neighbours
// that could take it back become active.
func (g *Grid) release(i int32) {
	tree := g.tree[i]
	for d := range 8 {
		j := i + g.offset[d]
		if g.tree[j] != tree {
			continue
		}
		if g.treeEdge(tree, i, j, d) > 0 {
			g.push(j)
		}
		if int(g.parent[j]) == 7-d {
			g.bereave(j)
		}
	}
	g.tree[i], g.parent[i] = free, none
}
