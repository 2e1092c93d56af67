package maxflow

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// network is a dense-matrix max-flow, too simple to be wrong.
type network [][]int64

func (n network) maxFlow(s, t int) int64 {
	var total int64
	for {
		prev := make([]int, len(n))
		for i := range prev {
			prev[i] = -1
		}
		prev[s] = s
		queue := []int{s}
		for len(queue) > 0 && prev[t] < 0 {
			u := queue[0]
			queue = queue[1:]
			for v, c := range n[u] {
				if c > 0 && prev[v] < 0 {
					prev[v] = u
					queue = append(queue, v)
				}
			}
		}
		if prev[t] < 0 {
			return total
		}
		room := int64(1 << 62)
		for v := t; v != s; v = prev[v] {
			room = min(room, n[prev[v]][v])
		}
		for v := t; v != s; v = prev[v] {
			n[prev[v]][v] -= room
			n[v][prev[v]] += room
		}
		total += room
	}
}

// problem is a random grid in a form that both solvers take.
type problem struct {
	w, h          int
	fromSrc, toSk []int32
	edges         map[[3]int]int32 // x, y, direction in E, SW, S, SE
}

func randomProblem(rng *rand.Rand, w, h, limit int) problem {
	p := problem{w: w, h: h, edges: map[[3]int]int32{}}
	for y := range h {
		for x := range w {
			p.fromSrc = append(p.fromSrc, int32(rng.IntN(limit)))
			p.toSk = append(p.toSk, int32(rng.IntN(limit)))
			for _, d := range []int{E, SW, S, SE} {
				if nx, ny := step(x, y, d); nx >= 0 && nx < w && ny < h {
					p.edges[[3]int{x, y, d}] = int32(rng.IntN(limit / 2))
				}
			}
		}
	}
	return p
}

func step(x, y, d int) (int, int) {
	k := d
	if d >= 4 {
		k++ // skip the centre of the 3×3 window
	}
	return x + k%3 - 1, y + k/3 - 1
}

func (p problem) fill(g *Grid) {
	for y := range p.h {
		for x := range p.w {
			g.SetTerminal(x, y, p.fromSrc[y*p.w+x], p.toSk[y*p.w+x])
		}
	}
	for k, c := range p.edges {
		g.SetEdge(k[0], k[1], k[2], c)
	}
}

func (p problem) network() network {
	size := p.w*p.h + 2
	n := make(network, size)
	for i := range n {
		n[i] = make([]int64, size)
	}
	for i := range p.fromSrc {
		n[size-2][i], n[i][size-1] = int64(p.fromSrc[i]), int64(p.toSk[i])
	}
	for k, c := range p.edges {
		nx, ny := step(k[0], k[1], k[2])
		a, b := k[1]*p.w+k[0], ny*p.w+nx
		n[a][b], n[b][a] = int64(c), int64(c)
	}
	return n
}

// cutCost is what the labelling that the grid found costs.
func (p problem) cutCost(g *Grid) int64 {
	var cost int64
	for y := range p.h {
		for x := range p.w {
			if g.OnSourceSide(x, y) {
				cost += int64(p.toSk[y*p.w+x])
			} else {
				cost += int64(p.fromSrc[y*p.w+x])
			}
		}
	}
	for k, c := range p.edges {
		nx, ny := step(k[0], k[1], k[2])
		if g.OnSourceSide(k[0], k[1]) != g.OnSourceSide(nx, ny) {
			cost += int64(c)
		}
	}
	return cost
}

func TestMaxFlowEqualsEdmondsKarp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var g Grid // one grid for all sizes: buffers must not leak between them
	for i := range 600 {
		w, h, limit := 1+rng.IntN(7), 1+rng.IntN(7), 2+rng.IntN(60)
		p := randomProblem(rng, w, h, limit)
		t.Run(fmt.Sprintf("%d_%dx%d", i, w, h), func(t *testing.T) {
			size := w*h + 2
			want := p.network().maxFlow(size-2, size-1)
			g.Reset(w, h)
			p.fill(&g)
			saved := g.SaveEdges(nil)
			if got := g.MaxFlow(); got != want {
				t.Fatalf("flow %d, Edmonds-Karp found %d", got, want)
			}
			if got := p.cutCost(&g); got != want {
				t.Fatalf("the cut costs %d, the flow is %d", got, want)
			}
			g.RestoreEdges(saved)
			for k := range p.fromSrc {
				g.SetTerminal(k%w, k/w, p.fromSrc[k], p.toSk[k])
			}
			if got := g.MaxFlow(); got != want {
				t.Fatalf("flow %d after RestoreEdges, want %d", got, want)
			}
		})
	}
}

func TestResetDoesNotAllocate(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	p := randomProblem(rng, 40, 30, 50)
	var g Grid
	solve := func() {
		g.Reset(40, 30)
		p.fill(&g)
		g.MaxFlow()
	}
	solve()
	if n := testing.AllocsPerRun(5, solve); n != 0 {
		t.Errorf("a second image of the same size allocates %v times", n)
	}
}

func BenchmarkMaxFlow(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	p := randomProblem(rng, 200, 150, 1000)
	var g Grid
	for b.Loop() {
		b.StopTimer()
		g.Reset(p.w, p.h)
		p.fill(&g)
		b.StartTimer()
		g.MaxFlow()
	}
}
