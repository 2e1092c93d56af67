package crf

import (
	"fmt"
	"math"
	"runtime"
	"sync"
)

// lanes is what rows are padded to, so that vector code needs no tail.
const lanes = 8

// gatherGeneric adds Σ w[k]·src[idx[k]] to the row y, len(y) values each.
func gatherGeneric(y, src []float32, idx []int32, w []float32) {
	c := len(y)
	for k, i := range idx {
		x, a := src[int(i)*c:int(i)*c+c], w[k]
		for j := range y {
			y[j] += float32(a * x[j])
		}
	}
}

// blurGeneric sets each row of c values to y = x + (n1+n2)/2, where n1 and n2
// are the rows of src that nb has two by two.
func blurGeneric(y, x, src []float32, nb []int32, c int) {
	for v := range len(y) / c {
		n1, n2 := src[int(nb[2*v])*c:], src[int(nb[2*v+1])*c:]
		for i := range c {
			y[v*c+i] = x[v*c+i] + float32(0.5*(n1[i]+n2[i]))
		}
	}
}

// expGeneric sets y = e^(x-top).
func expGeneric(y, x []float32, top float32) {
	for i, v := range x {
		y[i] = exp32(v - top)
	}
}

// lattice filters values over n points with a Gaussian of unit variance in a
// d-dimensional feature space, in time linear in n: Adams, Baek and Davis,
// "Fast high-dimensional filtering using the permutohedral lattice" (2010).
type lattice struct {
	d, n, m int       // dimensions, points, lattice vertices
	offset  []int32   // n·(d+1): vertex of each corner of a point's simplex
	weight  []float32 // n·(d+1): barycentric weight
	start   []int32   // m+1: what touches vertex v lies at start[v]:start[v+1] of point and share
	point   []int32   // points that touch a vertex, ascending
	share   []float32 // their barycentric weights
	blur    []int32   // (d+1)·m·2: neighbours along each axis, m where there is none
}

// maxDims bounds d so that per-point scratch fits on the stack.
const maxDims = 5

// newLattice embeds n points; features is n×d, row-major, in units of standard
// deviations.
func newLattice(features []float32, d int) (*lattice, error) {
	n := len(features) / d
	l := &lattice{d: d, n: n, offset: make([]int32, n*(d+1)), weight: make([]float32, n*(d+1))}
	keys, err := newKeyTable(d, n)
	if err != nil {
		return nil, err
	}
	var scale [maxDims]float32
	inv := math.Sqrt(2.0/3.0) * float64(d+1)
	for i := range d {
		scale[i] = float32(inv / math.Sqrt(float64((i+2)*(i+1))))
	}
	for p := range n {
		if err := l.embed(p, features[p*d:(p+1)*d], scale[:d], keys); err != nil {
			return nil, err
		}
	}
	l.m = keys.len()
	// Slicing carries the constant that makes the lattice's total mass that of
	// its blur.
	alpha := float32(1 / (1 + math.Pow(2, -float64(d))))
	l.index()
	for i := range l.weight {
		l.weight[i] *= alpha
	}
	l.neighbours(keys)
	return l, nil
}

// embed finds the simplex that holds point p and its barycentric weights.
func (l *lattice) embed(p int, f, scale []float32, keys *keyTable) error {
	d := l.d
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
			if di < elevated[j]-float32(rem0[j]) {
				rank[i]++
			} else {
				rank[j]++
			}
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

	var key [maxDims]int32
	for rem := 0; rem <= d; rem++ {
		for i := range d {
			key[i] = rem0[i] + int32(rem)
			if rank[i] > int32(d-rem) {
				key[i] -= up
			}
		}
		v, err := keys.add(key[:d])
		if err != nil {
			return err
		}
		l.offset[p*(d+1)+rem] = v
		l.weight[p*(d+1)+rem] = bary[rem]
	}
	return nil
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
	for i, v := range l.offset {
		l.point[next[v]], l.share[next[v]] = int32(i/(l.d+1)), l.weight[i]
		next[v]++
	}
}

// normalise folds symmetric normalisation and the factor weight into the
// lattice: from here on filter computes weight·N·K·N with N = diag(1/√(K·1)).
func (l *lattice) normalise(weight float32) {
	ones, sum := make([]float32, l.n*lanes), make([]float32, l.n*lanes)
	for i := range l.n {
		ones[i*lanes] = 1
	}
	l.filter(sum, ones, lanes, make([]float32, (l.m+1)*lanes), make([]float32, (l.m+1)*lanes))
	norm := make([]float32, l.n)
	for i := range norm {
		norm[i] = float32(1 / math.Sqrt(float64(sum[i*lanes])+1e-20))
	}
	for i, p := range l.point {
		l.share[i] *= norm[p]
	}
	for i := range l.weight {
		l.weight[i] *= norm[i/(l.d+1)] * weight
	}
}

// neighbours finds the two vertices next to each along each of the d+1 axes.
func (l *lattice) neighbours(keys *keyTable) {
	d := l.d
	l.blur = make([]int32, (d+1)*l.m*2)
	parallel(l.m, func(lo, hi int) {
		var key, n1, n2 [maxDims]int32
		for v := lo; v < hi; v++ {
			keys.at(v, key[:d])
			for j := 0; j <= d; j++ {
				for k := range d {
					n1[k], n2[k] = key[k]-1, key[k]+1
				}
				if j < d {
					n1[j], n2[j] = key[j]+int32(d), key[j]-int32(d)
				}
				at := (j*l.m + v) * 2
				for k, n := range [2]int32{keys.find(n1[:d]), keys.find(n2[:d])} {
					if n < 0 {
						n = int32(l.m)
					}
					l.blur[at+k] = n
				}
			}
		}
	})
}

// rows of scratch: row m is kept zero and stands for missing neighbours.
func (l *lattice) rows() int { return l.m + 1 }

func (l *lattice) filter(out, in []float32, c int, a, b []float32) {
	clear(a[l.m*c : (l.m+1)*c])
	clear(b[l.m*c : (l.m+1)*c])
	parallel(l.m, func(lo, hi int) {
		clear(a[lo*c : hi*c])
		for v := lo; v < hi; v++ {
			from, to := l.start[v], l.start[v+1]
			gather(a[v*c:(v+1)*c], in, l.point[from:to], l.share[from:to])
		}
	})
	for j := 0; j <= l.d; j++ {
		nb := l.blur[j*l.m*2 : (j+1)*l.m*2]
		parallel(l.m, func(lo, hi int) {
			blurRows(b[lo*c:hi*c], a[lo*c:hi*c], a, nb[2*lo:2*hi], c)
		})
		a, b = b, a
	}
	d1 := l.d + 1
	parallel(l.n, func(lo, hi int) {
		for p := lo; p < hi; p++ {
			gather(out[p*c:(p+1)*c], a, l.offset[p*d1:(p+1)*d1], l.weight[p*d1:(p+1)*d1])
		}
	})
}

// parallel splits 0..n into one range per CPU.
func parallel(n int, f func(lo, hi int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers <= 1 {
		f(0, n)
		return
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { f(n*w/workers, n*(w+1)/workers) })
	}
	wg.Wait()
}

// keyTable maps lattice coordinates to vertex numbers: open addressing over
// keys packed into 64 bits.
type keyTable struct {
	d     int
	bits  uint
	limit int32
	slots []int32 // vertex+1, 0 = empty
	keys  []uint64
}

func newKeyTable(d, n int) (*keyTable, error) {
	if d < 1 || d > maxDims {
		return nil, fmt.Errorf("crf: %d feature dimensions: allowed are 1..%d", d, maxDims)
	}
	bits := uint(64 / d)
	t := &keyTable{d: d, bits: bits, limit: int32(1) << (min(bits, 31) - 1)}
	t.grow(max(1024, n/4))
	return t, nil
}

func (t *keyTable) len() int { return len(t.keys) }

func (t *keyTable) pack(key []int32) (packed uint64, ok bool) {
	for _, k := range key {
		if k < -t.limit || k >= t.limit {
			return 0, false
		}
		packed = packed<<t.bits | uint64(k+t.limit)
	}
	return packed, true
}

// at unpacks the coordinates of vertex v.
func (t *keyTable) at(v int, key []int32) {
	packed := t.keys[v]
	mask := uint64(1)<<t.bits - 1
	for i := t.d - 1; i >= 0; i-- {
		key[i] = int32(packed&mask) - t.limit
		packed >>= t.bits
	}
}

func (t *keyTable) slot(packed uint64) uint64 {
	h := packed * 0x9E3779B97F4A7C15
	return (h ^ h>>29) & uint64(len(t.slots)-1)
}

// find returns the vertex at key, or -1.
func (t *keyTable) find(key []int32) int32 {
	packed, ok := t.pack(key)
	if !ok {
		return -1
	}
	for s := t.slot(packed); ; s = (s + 1) & uint64(len(t.slots)-1) {
		switch v := t.slots[s]; {
		case v == 0:
			return -1
		case t.keys[v-1] == packed:
			return v - 1
		}
	}
}

// add returns the vertex at key, made if new.
func (t *keyTable) add(key []int32) (int32, error) {
	packed, ok := t.pack(key)
	if !ok {
		return 0, fmt.Errorf("crf: a feature lies beyond the lattice (coordinate limit %d): use a larger standard deviation", t.limit)
	}
	s := t.slot(packed)
	for ; t.slots[s] != 0; s = (s + 1) & uint64(len(t.slots)-1) {
		if v := t.slots[s]; t.keys[v-1] == packed {
			return v - 1, nil
		}
	}
	t.keys = append(t.keys, packed)
	t.slots[s] = int32(len(t.keys))
	if 2*len(t.keys) > len(t.slots) {
		t.grow(len(t.slots))
	}
	return int32(len(t.keys) - 1), nil
}

// grow rebuilds the slots for more than entries keys.
func (t *keyTable) grow(entries int) {
	size := 1
	for size < 2*entries {
		size *= 2
	}
	t.slots = make([]int32, size)
	for v, packed := range t.keys {
		s := t.slot(packed)
		for t.slots[s] != 0 {
			s = (s + 1) & uint64(size-1)
		}
		t.slots[s] = int32(v + 1)
	}
}
