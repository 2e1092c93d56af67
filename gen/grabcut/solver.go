// Package grabcut cuts objects out of photos without any learned weight:
// GrabCut (Rother, Kolmogorov and Blake, SIGGRAPH 2004), two colour mixtures
// and a minimum cut, iterated. It registers the gen method "grabcut", the
// classical baseline of Jiang & Yang 2023, Table 3.
package grabcut

import (
	"image"
	"math"
	"math/rand/v2"

	"wsss/data/fastexp"
	"wsss/gen/maxflow"
)

// Trimap values, numbered as in OpenCV.
const (
	Bgd     = 0 // certainly background
	Fgd     = 1 // certainly object
	ProbBgd = 2 // background at first
	ProbFgd = 3 // object at first
)

// unit is the integer capacity of one nat of energy.
const unit = 1024

// Solver segments one image region at a time. Its buffers are reused from
// region to region; it is not safe for concurrent use.
type Solver struct {
	Gamma float64 // weight of the smoothness term; 50 in the paper
	W, H  int     // size of the loaded region

	rgb    []float32
	prior  []float32
	trimap []uint8
	inside []uint8   // the current cut
	odds   []float32 // log odds of object to background: colour plus prior
	part   [2][]uint8
	model  [2]gmm // background, object
	idx    []int32
	grid   maxflow.Grid
	edges  []int32
}

// Load reads the pixels of img inside r, averaged over shrink×shrink blocks,
// and weighs the edges between neighbours. The region becomes
// ceil(r.Dx/shrink) × ceil(r.Dy/shrink) pixels. The colour models stay.
func (s *Solver) Load(img *image.NRGBA, r image.Rectangle, shrink int) {
	s.W, s.H = (r.Dx()+shrink-1)/shrink, (r.Dy()+shrink-1)/shrink
	n := s.W * s.H
	s.rgb = sized(s.rgb, n*3)
	s.prior = sized(s.prior, n)
	s.odds = sized(s.odds, n)
	s.trimap = sized(s.trimap, n)
	s.inside = sized(s.inside, n)
	s.part[0], s.part[1] = sized(s.part[0], n), sized(s.part[1], n)
	clear(s.prior)
	for y := range s.H {
		for x := range s.W {
			block := image.Rect(x*shrink, y*shrink, (x+1)*shrink, (y+1)*shrink).Add(r.Min).Intersect(r)
			var sum [3]int
			for by := block.Min.Y; by < block.Max.Y; by++ {
				row := img.Pix[by*img.Stride+block.Min.X*4 : by*img.Stride+block.Max.X*4]
				for ; len(row) >= 4; row = row[4:] {
					sum[0] += int(row[0])
					sum[1] += int(row[1])
					sum[2] += int(row[2])
				}
			}
			count := float32(block.Dx() * block.Dy())
			for c := range 3 {
				s.rgb[(y*s.W+x)*3+c] = float32(sum[c]) / count
			}
		}
	}
	s.weighEdges()
}

func sized[T any](buf []T, n int) []T {
	if cap(buf) < n {
		return make([]T, n)
	}
	return buf[:n]
}

// forward lists the half of the neighbours that visits each edge once.
var forward = [4]struct {
	dir, dx, dy int
	length      float64
}{{maxflow.E, 1, 0, 1}, {maxflow.SW, -1, 1, math.Sqrt2}, {maxflow.S, 0, 1, 1}, {maxflow.SE, 1, 1, math.Sqrt2}}

// eachEdge calls f with both pixels of every edge and the squared distance of
// their colours.
func (s *Solver) eachEdge(f func(x, y, k int, diff float32)) {
	for y := range s.H {
		for x := range s.W {
			i := (y*s.W + x) * 3
			p := [3]float32{s.rgb[i], s.rgb[i+1], s.rgb[i+2]}
			for k := range forward {
				nx, ny := x+forward[k].dx, y+forward[k].dy
				if nx < 0 || nx >= s.W || ny >= s.H {
					continue
				}
				j := (ny*s.W + nx) * 3
				f(x, y, k, distance(p, s.rgb[j:j+3:j+3]))
			}
		}
	}
}

// weighEdges gives the edge between two pixels γ·exp(−β·|z−z'|²)/distance,
// with β = 1 / (2·mean |z−z'|²).
func (s *Solver) weighEdges() {
	var sum float64
	n := 0
	s.eachEdge(func(_, _, _ int, diff float32) { sum += float64(diff); n++ })
	var beta float32
	if sum > 0 {
		beta = float32(float64(n) / (2 * sum))
	}
	var scale [4]float32
	for k := range scale {
		scale[k] = float32(s.Gamma * unit / forward[k].length)
	}
	s.grid.Reset(s.W, s.H)
	s.eachEdge(func(x, y, k int, diff float32) {
		weight := scale[k] * fastexp.Rough(-beta*diff)
		s.grid.SetEdge(x, y, forward[k].dir, int32(weight))
	})
	s.edges = s.grid.SaveEdges(s.edges)
}

// Run segments the loaded region: it fits both colour models to the trimap,
// then cuts and refits up to the given number of times, or until a cut changes
// nothing. With keep, the models of the last run are the start instead, and
// only refitted to the trimap. Where one side has no pixel, colour says
// nothing and prior and edges decide.
func (s *Solver) Run(trimap []uint8, prior []float32, iterations int, keep bool, seed int64) {
	copy(s.trimap, trimap)
	if prior != nil {
		copy(s.prior, prior)
	}
	for i, t := range s.trimap {
		s.inside[i] = t & 1
	}
	if keep && s.model[0].n > 0 && s.model[1].n > 0 {
		s.weighPixels()
		s.refit()
	} else {
		s.fit(seed)
	}
	for range iterations {
		s.weighPixels()
		if !s.cut(0, s.inside) {
			return
		}
		s.refit()
	}
}

// fit starts both models from the current labels.
func (s *Solver) fit(seed int64) {
	rng := rand.New(rand.NewPCG(uint64(seed), 0x9e3779b97f4a7c15))
	for side := range s.model {
		s.idx = s.idx[:0]
		for i, in := range s.inside {
			if int(in) == side {
				s.idx = append(s.idx, int32(i))
			}
		}
		s.model[side].start(s.rgb, s.idx, rng)
	}
}

// refit fits both models to the current labels, each pixel in the component
// that explained it best.
func (s *Solver) refit() {
	var parts [2][Components]moments
	for i, in := range s.inside {
		parts[in][s.part[in][i]].add(s.rgb[i*3], s.rgb[i*3+1], s.rgb[i*3+2])
	}
	for side := range s.model {
		if parts[side] != ([Components]moments{}) {
			s.model[side].set(&parts[side])
		}
	}
}

// weighPixels sets the log odds of every undecided pixel, and every pixel's
// best component.
func (s *Solver) weighPixels() {
	if s.model[0].n == 0 || s.model[1].n == 0 {
		copy(s.odds, s.prior)
		clear(s.part[0])
		clear(s.part[1])
		return
	}
	for i := range s.odds {
		r, g, b := s.rgb[i*3], s.rgb[i*3+1], s.rgb[i*3+2]
		if t := s.trimap[i]; t == Bgd || t == Fgd {
			s.part[t][i] = s.model[t].best(r, g, b)
			continue
		}
		bg, kb := s.model[0].logDensity(r, g, b)
		fg, kf := s.model[1].logDensity(r, g, b)
		s.part[0][i], s.part[1][i] = kb, kf
		s.odds[i] = fg - bg + s.prior[i]
	}
}

// cut labels the region by the minimum cut with shift added to every log odds,
// and reports whether any label of inside changed.
func (s *Solver) cut(shift float32, inside []uint8) (changed bool) {
	// No sum of edges at one pixel can outweigh a hard label.
	hard := int32(9 * s.Gamma * unit)
	s.grid.RestoreEdges(s.edges)
	for i, t := range s.trimap {
		x, y := i%s.W, i/s.W
		switch t {
		case Bgd:
			s.grid.SetTerminal(x, y, 0, hard)
		case Fgd:
			s.grid.SetTerminal(x, y, hard, 0)
		default:
			odds := max(-9*float32(s.Gamma), min(9*float32(s.Gamma), s.odds[i]+shift))
			if c := int32(odds * unit); c > 0 {
				s.grid.SetTerminal(x, y, c, 0)
			} else {
				s.grid.SetTerminal(x, y, 0, -c)
			}
		}
	}
	s.grid.MaxFlow()
	for i := range inside {
		var v uint8
		if s.grid.OnSourceSide(i%s.W, i/s.W) {
			v = 1
		}
		if v != inside[i] {
			inside[i], changed = v, true
		}
	}
	return changed
}

// Inside is the current cut, W*H bytes, 1 for the object. It is valid until
// the next call of Run or Load.
func (s *Solver) Inside() []uint8 { return s.inside }

// Score is the mean certainty of the undecided pixels, 0.5..1: what the log
// odds, tempered, give the side that each pixel was cut to.
func (s *Solver) Score() float32 {
	// Pixel colours are far from independent: nats are tempered so that the
	// score does not crowd at 1.
	const temperature = 4
	var sum float64
	n := 0
	for i, t := range s.trimap {
		if t == Bgd || t == Fgd {
			continue
		}
		odds := float64(s.odds[i])
		if s.inside[i] == 0 {
			odds = -odds
		}
		sum += 1 / (1 + math.Exp(-odds/temperature))
		n++
	}
	if n == 0 {
		return 1
	}
	return float32(sum / float64(n))
}

// Stability is the area of the cut with the log odds lowered by offset over
// the area with them raised, 0..1: SAM's stability score (docs/sources.md §3.5) for a
// cut. The cuts are nested, so this is their IoU.
func (s *Solver) Stability(offset float32) float32 {
	scratch := make([]uint8, len(s.inside))
	count := func(shift float32) (n int) {
		s.cut(shift, scratch)
		for _, v := range scratch {
			n += int(v)
		}
		return n
	}
	small, large := count(-offset), count(offset)
	if large == 0 {
		return 0
	}
	return float32(small) / float32(large)
}
