// Package sgemm multiplies float32 matrices on amd64 CPUs with AVX2 and FMA: the
// go backend's matrix product (models/backend registers it), three times as fast
// as the one that the Go compiler makes of vector intrinsics.
//
// A tile of 6×16 results is held in twelve registers while the kernel, in Go
// assembly, runs along the sum. The right matrix is rearranged into columns of
// sixteen that stay in the caches; the left one is read where it lies. Every
// result is summed in the same order however the work is divided.
package sgemm

import (
	"sync"
	"sync/atomic"
)

const (
	mr = 6  // rows of a tile
	nr = 16 // columns of a tile

	depth  = 256  // of a block along the sum: a packed column takes 16 KiB
	height = 120  // rows of a block of the left matrix: 120 KiB
	width  = 1024 // columns of a block of the right matrix: 1 MiB
	chunk  = 240  // rows, at least, of a piece of work of its own
)

// Product is C = A·B for each of Batch matrices that follow one another: A is
// [M, K], B [K, N], or [N, K] if Transposed, and C [M, N], in rows.
type Product struct {
	A, B, C        []float32
	Batch, M, N, K int
	Transposed     bool

	flipped bool // C is [N, M]
}

// Run computes the product in the goroutines that parallel starts, of which
// there are at most workers: parallel calls task in each and returns when all
// are done.
func (p Product) Run(workers int, parallel func(task func())) {
	if p.Batch*p.M*p.N == 0 {
		return
	}
	if p.K == 0 {
		clear(p.C)
		return
	}
	if p.Transposed && p.M < nr && p.N > p.M {
		// Cᵀ = B·Aᵀ reads the larger matrix where it lies.
		p.A, p.B, p.M, p.N, p.flipped = p.B, p.A, p.N, p.M, true
	}
	items := p.divide(workers)
	if len(items) == 1 || workers <= 1 {
		s := scratches.Get().(*scratch)
		for _, it := range items {
			it.run(s)
		}
		scratches.Put(s)
		return
	}
	var next atomic.Int64
	parallel(func() {
		s := scratches.Get().(*scratch)
		defer scratches.Put(s)
		for {
			i := int(next.Add(1)) - 1
			if i >= len(items) {
				return
			}
			items[i].run(s)
		}
	})
}

// item is a rectangle of one of the results.
type item struct {
	Product
	r0, r1, c0, c1 int
}

// divide cuts the products into pieces: rectangles of rows where there are
// many, else of columns.
func (p Product) divide(workers int) []item {
	rows, cols := p.M, p.N
	if workers > 1 && p.Batch < 2*workers && p.Batch*p.M*p.N*p.K > 1<<17 {
		parts := ceilDiv(3*workers, p.Batch)
		if p.M >= 2*p.N || p.M >= parts*chunk {
			rows = roundUp(max(ceilDiv(p.M, parts), min(chunk, ceilDiv(p.M, workers))), mr)
		} else {
			cols = roundUp(max(ceilDiv(p.N, parts), 4*nr), nr)
		}
	}
	var items []item
	for b := range p.Batch {
		one := p
		one.A, one.B, one.C = p.A[b*p.M*p.K:][:p.M*p.K], p.B[b*p.K*p.N:][:p.K*p.N], p.C[b*p.M*p.N:][:p.M*p.N]
		for r := 0; r < p.M; r += rows {
			for c := 0; c < p.N; c += cols {
				items = append(items, item{one, r, min(r+rows, p.M), c, min(c+cols, p.N)})
			}
		}
	}
	return items
}

// scratch is the working memory of a goroutine.
type scratch struct {
	panels [depth * width]float32 // the block of the right matrix, in columns of nr
	rows   [mr * depth]float32    // a last strip of fewer than mr rows
	tile   [mr * nr]float32       // a tile that is cut off by the edge
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// run fills the rectangle, block by block.
func (it item) run(s *scratch) {
	for k0 := 0; k0 < it.K; k0 += depth {
		k := min(depth, it.K-k0)
		for c0 := it.c0; c0 < it.c1; c0 += width {
			c1 := min(c0+width, it.c1)
			direct := !it.Transposed && (it.r1-it.r0 <= 2*mr || it.N == nr)
			for c := c0; c < c1; c += nr {
				if !direct || c+nr > c1 {
					it.pack(s.panels[(c-c0)*k:][:nr*k], k0, k, c, min(nr, c1-c))
				}
			}
			for r0 := it.r0; r0 < it.r1; r0 += height {
				it.block(s, direct, k0, k, r0, min(r0+height, it.r1), c0, c1)
			}
		}
	}
}

// block multiplies rows r0 to r1, values k0 to k0+k, with columns c0 to c1.
func (it item) block(s *scratch, direct bool, k0, k, r0, r1, c0, c1 int) {
	last := r1 - (r1-r0)%mr // the first row of a strip of fewer than mr
	for r := last; r < r1; r++ {
		copy(s.rows[(r-last)*k:][:k], it.A[r*it.K+k0:])
	}
	for c := c0; c < c1; c += nr {
		b, ldb := &s.panels[(c-c0)*k], nr
		if direct && c+nr <= c1 {
			b, ldb = &it.B[k0*it.N+c], it.N
		}
		for r := r0; r < r1; r += mr {
			a, lda := &it.A[r*it.K+k0], it.K
			if r == last {
				a, lda = &s.rows[0], k
			}
			if r < last && c+nr <= c1 && !it.flipped {
				kernel(k, a, 4*lda, b, 4*ldb, &it.C[r*it.N+c], 4*it.N, k0 > 0)
				continue
			}
			kernel(k, a, 4*lda, b, 4*ldb, &s.tile[0], 4*nr, false)
			it.store(s.tile[:], r, min(mr, r1-r), c, min(nr, c1-c), k0 > 0)
		}
	}
}

// store copies or adds the visible part of a tile, h rows of w values.
func (it item) store(tile []float32, r, h, c, w int, add bool) {
	along, down := 1, it.N // distances in C
	if it.flipped {
		along, down = it.M, 1
	}
	for i := range h {
		for j := range w {
			to := &it.C[(r+i)*down+(c+j)*along]
			if add {
				*to += tile[i*nr+j]
			} else {
				*to = tile[i*nr+j]
			}
		}
	}
}

// pack arranges rows k0 to k0+k of B, columns c to c+w, as k rows of nr values;
// beyond w they are 0.
func (it item) pack(dst []float32, k0, k, c, w int) {
	if w < nr {
		clear(dst)
	}
	if !it.Transposed && w == nr {
		packRows(k, &dst[0], &it.B[k0*it.N+c], 4*it.N)
		return
	}
	if !it.Transposed {
		for i := range k {
			copy(dst[i*nr:][:w], it.B[(k0+i)*it.N+c:])
		}
		return
	}
	for j := range w {
		src := it.B[(c+j)*it.K+k0:][:k]
		for i, v := range src {
			dst[i*nr+j] = v
		}
	}
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func roundUp(n, to int) int { return ceilDiv(n, to) * to }
