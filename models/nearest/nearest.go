// Package nearest finds the rows of a matrix that are most similar to given
// ones: exactly, by blocked products of matrices. Rows are kept in half
// precision.
package nearest

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/gomlx/compute/dtypes/float16"

	"wsss/data"
	"wsss/data/vector"
	"wsss/models/backend/sgemm"
)

// Index is rows of one length in half precision. It is safe for concurrent use
// once all rows are in it.
type Index struct {
	dim  int
	rows []uint16 // IEEE half precision

	mu      sync.Mutex // guards rounded
	rounded []rounding // of all rows, once a search has asked for it
}

// New makes an empty index of rows of dim values.
func New(dim int) *Index { return &Index{dim: dim} }

// Of makes an index of rows in half precision, which it keeps.
func Of(rows []uint16, dim int) (*Index, error) {
	if dim < 1 || len(rows)%dim != 0 {
		return nil, fmt.Errorf("%d values are no rows of %d", len(rows), dim)
	}
	return &Index{dim: dim, rows: rows}, nil
}

// Pack rounds a vector to half precision.
func Pack(v []float32) []uint16 {
	out := make([]uint16, len(v))
	for i, x := range v {
		out[i] = float16.FromFloat32(x).Bits()
	}
	return out
}

// Grow makes room for n rows in all, so that adding them copies nothing.
func (x *Index) Grow(n int) { x.rows = slices.Grow(x.rows, max(0, n*x.dim-len(x.rows))) }

// Add appends a row.
func (x *Index) Add(row []float32) {
	if len(row) != x.dim {
		panic(fmt.Sprintf("nearest: a row of %d values in an index of %d", len(row), x.dim))
	}
	x.rows = append(x.rows, Pack(row)...)
}

// Dim is the length of a row, Len the number of rows.
func (x *Index) Dim() int { return x.dim }

// Len is the number of rows.
func (x *Index) Len() int { return len(x.rows) / x.dim }

// Row copies a row.
func (x *Index) Row(i int) []float32 {
	out := make([]float32, x.dim)
	unpack(out, x.rows[i*x.dim:(i+1)*x.dim])
	return out
}

// Half is a row as it is kept; the caller must not change it.
func (x *Index) Half(i int) []uint16 { return x.rows[i*x.dim : (i+1)*x.dim] }

// Neighbour is a row with its product with a query: the cosine, where both are
// of length 1.
type Neighbour struct {
	Row        int
	Similarity float32
}

// Among says which rows a search looks at.
type Among struct {
	// Ranges are from..to of rows, ascending and disjoint; nil means all.
	Ranges [][2]int
	// Skip leaves a row out for a query; may be nil. It is asked of rows that are
	// near enough, and has to be safe for concurrent use.
	Skip func(query, row int) bool
}

const (
	blockRows = 512 // unpacked and multiplied at a time: 1.5 MiB of 768 values
	batch     = 256 // queries whose products are in memory at a time
)

// Search returns for each query, [n][Dim], the k rows of the largest product,
// the largest first, of equal ones the lower row first; fewer where there are
// no more.
func (x *Index) Search(ctx context.Context, queries [][]float32, k int, among Among) ([][]Neighbour, error) {
	for i, q := range queries {
		if len(q) != x.dim {
			return nil, fmt.Errorf("query %d has %d values, the rows have %d", i, len(q), x.dim)
		}
	}
	if among.Ranges == nil {
		among.Ranges = [][2]int{{0, x.Len()}}
	}
	out := make([][]Neighbour, 0, len(queries))
	for from := 0; from < len(queries); from += batch {
		some, err := x.search(ctx, queries[from:min(from+batch, len(queries))], from, k, among)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// search looks for some of the queries, the first of which has number first.
func (x *Index) search(ctx context.Context, queries [][]float32, first, k int, among Among) ([][]Neighbour, error) {
	var flat []float32
	var bytes *rough
	if x.canRough() {
		if err := x.round(ctx); err != nil {
			return nil, err
		}
		bytes = newRough(queries, x.dim)
	} else {
		flat = slices.Concat(queries...)
	}
	var blocks [][2]int
	for _, r := range among.Ranges {
		for at := r[0]; at < r[1]; at += blockRows {
			blocks = append(blocks, [2]int{at, min(at+blockRows, r[1])})
		}
	}
	workers := min(runtime.GOMAXPROCS(0), max(len(blocks), 1))
	finds := make([]*finder, workers)
	err := data.ParallelWorkers(ctx, len(blocks), workers, nil, func(worker, i int) error {
		if finds[worker] == nil {
			finds[worker] = newFinder(x.dim, len(queries), k, bytes != nil)
		}
		if bytes != nil {
			finds[worker].lookRough(x, queries, bytes, blocks[i], first, among.Skip)
			return nil
		}
		finds[worker].look(x, flat, blocks[i], first, among.Skip)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([][]Neighbour, len(queries))
	for q := range out {
		for _, f := range finds {
			if f != nil {
				out[q] = append(out[q], f.best[q]...)
			}
		}
		slices.SortFunc(out[q], nearer)
		out[q] = slices.Clip(out[q][:min(k, len(out[q]))])
	}
	return out, nil
}

func nearer(a, b Neighbour) int {
	return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), cmp.Compare(a.Row, b.Row))
}

// finder is a goroutine's memory of what it found.
type finder struct {
	k        int
	rows     []float32     // a block, unpacked
	products []float32     // [rows][queries]
	best     [][]Neighbour // of each query, sorted
	least    []float32     // similarity that a row must reach
	rough    *roughFinder  // nil: products are of numbers
}

func newFinder(dim, queries, k int, bytes bool) *finder {
	f := &finder{k: k, best: make([][]Neighbour, queries), least: make([]float32, queries)}
	if bytes {
		f.rough = &roughFinder{bytes: make([]int8, blockRows*dim), row: make([]float32, dim)}
	} else {
		f.rows, f.products = make([]float32, blockRows*dim), make([]float32, blockRows*queries)
	}
	for q := range f.least {
		f.least[q] = lowest
	}
	return f
}

// lowest is below any product of vectors of moderate lengths.
const lowest = -3e38

// look goes through a block of rows.
func (f *finder) look(x *Index, queries []float32, block [2]int, first int, skip func(query, row int) bool) {
	n, nq := block[1]-block[0], len(f.least)
	rows, products := f.rows[:n*x.dim], f.products[:n*nq]
	unpack(rows, x.rows[block[0]*x.dim:block[1]*x.dim])
	multiply(rows, queries, products, n, nq, x.dim)
	for r := range n {
		line := products[r*nq : (r+1)*nq]
		for q, v := range line {
			if v < f.least[q] || !(v > lowest) {
				continue
			}
			if row := block[0] + r; skip == nil || !skip(first+q, row) {
				f.add(q, Neighbour{row, v})
			}
		}
	}
}

// add keeps a neighbour if it is among the k nearest.
func (f *finder) add(q int, n Neighbour) {
	list := f.best[q]
	at, _ := slices.BinarySearchFunc(list, n, nearer)
	if at >= f.k {
		return
	}
	if len(list) < f.k {
		list = append(list, n)
	}
	copy(list[at+1:], list[at:])
	list[at] = n
	if f.best[q] = list; len(list) == f.k {
		f.least[q] = list[f.k-1].Similarity
	}
}

// multiply computes rows·queriesᵀ, [n, nq], of vectors of dim values.
func multiply(rows, queries, out []float32, n, nq, dim int) {
	if sgemm.Available() {
		sgemm.Product{A: rows, B: queries, C: out, Batch: 1, M: n, N: nq, K: dim, Transposed: true}.Run(1, nil)
		return
	}
	for r := range n {
		row := rows[r*dim : (r+1)*dim]
		for q := range nq {
			out[r*nq+q] = vector.Dot(queries[q*dim:(q+1)*dim], row)
		}
	}
}
