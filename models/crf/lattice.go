package crf

import (
	"errors"
	"math"
	"runtime"
	"sync/atomic"

	"wsss/data/crash"
)

// lattice is the permutohedral lattice: it filters n points of any number of
// channels with a Gaussian kernel of unit variance in a d-dimensional feature
// space, in time linear in n: Adams, Baek and Davis, "Fast high-dimensional
// filtering using the permutohedral lattice" (2010).
//
// Vertices are numbered as the points first touch them, so that what is near in
// the image is near in memory.
type lattice struct {
	d, n, m int       // dimensions, points, lattice vertices
	offset  []int32   // n·(d+1): vertex of each corner of a point's simplex
	weight  []float32 // n·(d+1): barycentric weight
	start   []int32   // m+1: what touches vertex v lies at start[v]:start[v+1] of point and share
	point   []int32   // points that touch a vertex, ascending
	share   []float32 // their barycentric weights
	chains  [][]int32 // per axis, the vertices that have a neighbour there; see vertices.chains
	values  []float32 // m rows, what splat left
}

// maxDims bounds d so that per-point scratch fits on the stack.
const maxDims = 5

// newLattice embeds n points; features is n×d, row-major, in units of standard
// deviations.
func newLattice(features []float32, d int) (*lattice, error) {
	n := len(features) / d
	packing, err := newPacking(d)
	if err != nil {
		return nil, err
	}
	l := &lattice{d: d, n: n, weight: make([]float32, n*(d+1))}
	keys, err := l.embed(features, packing)
	if err != nil {
		return nil, err
	}
	found := l.number(keys)
	var wg crash.Group
	wg.Go(l.index)
	order := sorted(found)
	l.chains = make([][]int32, d+1)
	parallel(d+1, func(lo, hi int) {
		for j := lo; j < hi; j++ {
			l.chains[j] = order.chains(packing.step(j))
		}
	})
	wg.Wait()
	return l, nil
}

// embed sets the weights of all points and returns the keys of their corners.
func (l *lattice) embed(features []float32, packing packing) ([]uint64, error) {
	d := l.d
	var scale [maxDims]float32
	inv := math.Sqrt(2.0/3.0) * float64(d+1)
	for i := range d {
		scale[i] = float32(inv / math.Sqrt(float64((i+2)*(i+1))))
	}
	keys := make([]uint64, l.n*(d+1))
	var beyond atomic.Bool
	parallel(l.n, func(lo, hi int) {
		for p := lo; p < hi; p++ {
			at := p * (d + 1)
			if !simplex(features[p*d:(p+1)*d], scale[:d], packing, keys[at:at+d+1], l.weight[at:at+d+1]) {
				beyond.Store(true)
				return
			}
		}
	})
	if beyond.Load() {
		return nil, errors.New("crf: a feature lies beyond the lattice: use a larger standard deviation")
	}
	return keys, nil
}

// simplex finds the d+1 corners of the simplex that holds a point, and its
// barycentric weights; false if it lies too far out.
func simplex(f, scale []float32, packing packing, keys []uint64, weights []float32) bool {
	d := len(f)
	var elevated [maxDims + 1]float32
	var rem0, rank [maxDims + 1]int32
	var bary [maxDims + 2]float32
	var sm float32
	for j := d; j > 0; j-- {
		cf := f[j-1] * scale[j-1]
		elevated[j] = sm - float32(j)*cf
		sm += cf
	}
	elevated[0] = sm

	// The closest lattice point of remainder 0, and the order of the residues.
	down, up := 1/float32(d+1), int32(d+1)
	var sum int32
	for i := 0; i <= d; i++ {
		r := int32(math.Floor(float64(elevated[i]*down) + 0.5))
		rem0[i] = r * up
		sum += r
	}
	for i := 0; i < d; i++ {
		di := elevated[i] - float32(rem0[i])
		for j := i + 1; j <= d; j++ {
			var less int32 // no branch: it would be a coin toss
			if di < elevated[j]-float32(rem0[j]) {
				less = 1
			}
			rank[i] += less
			rank[j] += 1 - less
		}
	}
	for i := 0; i <= d; i++ {
		rank[i] += sum
		if rank[i] < 0 {
			rank[i] += up
			rem0[i] += up
		} else if rank[i] > int32(d) {
			rank[i] -= up
			rem0[i] -= up
		}
	}
	for i := 0; i <= d; i++ {
		v := (elevated[i] - float32(rem0[i])) * down
		bary[int32(d)-rank[i]] += v
		bary[int32(d)+1-rank[i]] -= v
	}
	bary[0] += 1 + bary[d+1]
	copy(weights, bary[:d+1])

	var key [maxDims]int32
	ok := true
	for rem := range keys {
		for i := range d {
			key[i] = rem0[i] + int32(rem)
			if rank[i] > int32(d-rem) {
				key[i] -= up
			}
		}
		var in bool
		keys[rem], in = packing.pack(key[:d])
		ok = ok && in
	}
	return ok
}

// number gives every key its vertex, and returns the vertices' keys.
func (l *lattice) number(keys []uint64) (found []uint64) {
	d1 := l.d + 1
	l.offset = make([]int32, len(keys))
	// Corners of different places in the simplex never share a vertex.
	parallel(d1, func(lo, hi int) {
		for corner := lo; corner < hi; corner++ {
			table := newTable(l.n / 4)
			for i := corner; i < len(keys); i += d1 {
				// The pixel before has mostly the same corner.
				if i >= d1 && keys[i-d1] == keys[i] {
					l.offset[i] = l.offset[i-d1]
				} else {
					l.offset[i] = table.add(keys[i])
				}
			}
		}
	})
	number := make([][]int32, d1) // of each table's vertices
	for p := 0; p < len(keys); p += d1 {
		for corner, v := range l.offset[p : p+d1] {
			if int(v) == len(number[corner]) { // its first point
				number[corner] = append(number[corner], int32(len(found)))
				found = append(found, keys[p+corner])
			}
			l.offset[p+corner] = number[corner][v]
		}
	}
	l.m = len(found)
	return found
}

// index lists for every vertex the corners that touch it, so that splatting is
// a gather: parallel, and the same sum whatever the number of workers.
func (l *lattice) index() {
	l.start = make([]int32, l.m+1)
	for _, v := range l.offset {
		l.start[v+1]++
	}
	for v := range l.m {
		l.start[v+1] += l.start[v]
	}
	l.point, l.share = make([]int32, len(l.offset)), make([]float32, len(l.offset))
	next := append([]int32(nil), l.start[:l.m]...)
	// Slicing carries the constant that makes the lattice's total mass that of
	// its blur.
	alpha := float32(1 / (1 + math.Pow(2, -float64(l.d))))
	d1 := l.d + 1
	for p := range l.n {
		for i := p * d1; i < (p+1)*d1; i++ {
			at := &next[l.offset[i]]
			l.point[*at], l.share[*at] = int32(p), l.weight[i]
			*at++
			l.weight[i] *= alpha
		}
	}
}

// normalise folds symmetric normalisation and the factor weight into the
// lattice: from here on it filters with weight·N·K·N, N = diag(1/√(K·1)).
func (l *lattice) normalise(weight float32) {
	ones := make([]float32, l.n)
	for i := range ones {
		ones[i] = 1
	}
	l.splat(ones, 1)
	norm := ones
	parallel(l.n, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			norm[i] = 0
			l.slice(norm[i:i+1], i)
			norm[i] = float32(1 / math.Sqrt(float64(norm[i])+1e-20))
		}
	})
	d1 := l.d + 1
	parallel(l.n, func(lo, hi int) {
		for i := lo * d1; i < hi*d1; i++ {
			l.share[i] *= norm[l.point[i]]
		}
		for p := lo; p < hi; p++ {
			for i := p * d1; i < (p+1)*d1; i++ {
				l.weight[i] *= norm[p] * weight
			}
		}
	})
}

func (l *lattice) splat(in []float32, c int) {
	if len(l.values) != l.m*c {
		l.values = make([]float32, l.m*c)
	}
	a := l.values
	parallel(l.m, func(lo, hi int) {
		for v := lo; v < hi; v++ {
			row, from, to := a[v*c:(v+1)*c], l.start[v], l.start[v+1]
			clear(row)
			gather(row, in, l.point[from:to], l.share[from:to])
		}
	})
	for _, chain := range l.chains {
		parallel(len(chain), func(lo, hi int) {
			blurChains(a, chain[lineAt(chain, lo):lineAt(chain, hi)], c)
		})
	}
}

// lineAt is where the first line begins at or behind a place.
func lineAt(chain []int32, at int) int {
	for at < len(chain) && chain[at] >= 0 {
		at++
	}
	return at
}

func (l *lattice) slice(row []float32, p int) {
	d1 := l.d + 1
	gather(row, l.values, l.offset[p*d1:(p+1)*d1], l.weight[p*d1:(p+1)*d1])
}

// parallel splits 0..n into one range per CPU.
func parallel(n int, f func(lo, hi int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers <= 1 {
		f(0, n)
		return
	}
	var wg crash.Group
	for w := range workers {
		wg.Go(func() { f(n*w/workers, n*(w+1)/workers) })
	}
	wg.Wait()
}
