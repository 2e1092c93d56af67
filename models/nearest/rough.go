package nearest

import (
	"context"
	"math"
	"runtime"

	"wsss/data"
)

// A row is looked at closely only where a product of bytes cannot rule it out:
// with x̂ and q̂ the rounded vectors, |q·x − q̂·x̂| ≤ |q − q̂|·|x| + |q̂|·|x − x̂|. The
// neighbours that are found are the same.

// rounding is what is known of a row that is rounded to bytes.
type rounding struct {
	scale  float32 // x̂ = scale · bytes
	length float32 // |x|
	lost   float32 // |x − x̂|
	sum    int32   // of the bytes
}

// slack covers the rounding of sums of single precision.
const slack = 1e-4

const (
	tileRows, tileQueries = 8, 16 // of dots
	laneValues            = 16    // of quantise
)

// canRough tells whether rows and CPU allow products of bytes.
func (x *Index) canRough() bool { return roughly && x.dim%laneValues == 0 && x.dim > 0 }

// round looks at all rows, once.
func (x *Index) round(ctx context.Context) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.rounded) == x.Len() {
		return nil
	}
	rounded := make([]rounding, x.Len())
	const many = 1024
	err := data.ParallelWorkers(ctx, (x.Len()+many-1)/many, runtime.GOMAXPROCS(0), nil, func(_, part int) error {
		values, bytes := make([]float32, x.dim), make([]int8, x.dim)
		for i := part * many; i < min((part+1)*many, x.Len()); i++ {
			unpack(values, x.Half(i))
			rounded[i] = roundRow(values, bytes)
		}
		return nil
	})
	if err == nil {
		x.rounded = rounded
	}
	return err
}

// roundRow rounds a vector to bytes.
func roundRow(v []float32, bytes []int8) (r rounding) {
	var top float32
	for _, x := range v {
		top = max(top, x, -x)
	}
	r.scale = top / 127
	inverse := r.inverse()
	var length, lost float64
	for i, x := range v {
		n := math.RoundToEven(float64(x * inverse))
		bytes[i] = int8(n)
		r.sum += int32(n)
		d := float64(x) - n*float64(r.scale)
		length += float64(x) * float64(x)
		lost += d * d
	}
	r.length, r.lost = float32(math.Sqrt(length)), float32(math.Sqrt(lost))
	return r
}

func (r rounding) inverse() float32 {
	if r.scale == 0 {
		return 0
	}
	return 1 / r.scale
}

// rough is a batch of queries rounded to bytes.
type rough struct {
	panels [][]uint8 // of 16 queries each: [dim/4][16][4], 128 more than the bytes
	scale  []float32 // of each query, those that fill up the last panel included
	lost   []float32 // |q − q̂|
	length []float32 // |q̂|
}

func newRough(queries [][]float32, dim int) *rough {
	n := (len(queries) + tileQueries - 1) / tileQueries * tileQueries
	r := &rough{scale: make([]float32, n), lost: make([]float32, n), length: make([]float32, n)}
	bytes := make([]int8, dim)
	for p := 0; p < n; p += tileQueries {
		panel := make([]uint8, dim*tileQueries)
		for k := range tileQueries {
			q := p + k
			if q >= len(queries) {
				break
			}
			about := roundRow(queries[q], bytes)
			r.scale[q], r.lost[q], r.length[q] = about.scale, about.lost, about.length+about.lost
			for i, b := range bytes {
				panel[i/4*4*tileQueries+4*k+i%4] = uint8(int(b) + 128)
			}
		}
		r.panels = append(r.panels, panel)
	}
	return r
}

// roughFinder is a finder's memory for products of bytes.
type roughFinder struct {
	bytes []int8 // of a block
	out   [tileRows * tileQueries]int32
	row   []float32 // one that is looked at closely
	at    int       // its number, -1 = none
}

// lookRough is look by products of bytes.
func (f *finder) lookRough(x *Index, queries [][]float32, r *rough, block [2]int, first int, skip func(query, row int) bool) {
	g := f.rough
	n := block[1] - block[0]
	for i := range n {
		quantise(&g.bytes[i*x.dim], &x.rows[(block[0]+i)*x.dim], x.rounded[block[0]+i].inverse(), x.dim)
	}
	g.at = -1
	for i := 0; i < n; i += tileRows { // rows behind the last are of another block, and not read
		for p, panel := range r.panels {
			dots(&g.out[0], &g.bytes[i*x.dim], x.dim, &panel[0], x.dim/4)
			base := p * tileQueries
			count := min(tileQueries, len(queries)-base)
			least, scale, lost, length := f.least[base:base+count], r.scale[base:base+count], r.lost[base:base+count], r.length[base:base+count]
			for k := range min(tileRows, n-i) {
				about := x.rounded[block[0]+i+k]
				out := g.out[k*tileQueries : k*tileQueries+count]
				offset := 128 * about.sum
				for q, v := range out {
					most := float32(v-offset)*(about.scale*scale[q]) + lost[q]*about.length + length[q]*about.lost + slack
					if most >= least[q] {
						f.close(x, queries[base+q], base+q, block[0]+i+k, first, skip)
					}
				}
			}
		}
	}
}

// close looks at a row for a query by their product itself.
func (f *finder) close(x *Index, query []float32, q, row, first int, skip func(query, row int) bool) {
	if skip != nil && skip(first+q, row) {
		return
	}
	g := f.rough
	if g.at != row {
		unpack(g.row, x.Half(row))
		g.at = row
	}
	var sum float32
	for i, v := range query {
		sum += v * g.row[i]
	}
	if sum >= f.least[q] && sum > lowest {
		f.add(q, Neighbour{row, sum})
	}
}
