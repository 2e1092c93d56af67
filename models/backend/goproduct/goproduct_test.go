package goproduct

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// TestUse has the backend multiply by another product: both entries of the table
// are found, and graphs use them.
func TestUse(t *testing.T) {
	var plain, transposed atomic.Int32
	taken := Use("test", func(workers int, parallel func(func()), tr bool, lhs, rhs, out []float32, batch, m, n, k int) {
		if workers < 1 {
			t.Errorf("%d workers", workers)
		}
		parallel(func() {})
		if tr {
			transposed.Add(1)
		} else {
			plain.Add(1)
		}
		for b := range batch {
			for i := range m {
				for j := range n {
					var sum float32
					for l := range k {
						at := b*k*n + l*n + j
						if tr {
							at = b*k*n + j*k + l
						}
						sum += lhs[(b*m+i)*k+l] * rhs[at]
					}
					out[(b*m+i)*n+j] = sum
				}
			}
		}
	})
	if taken != 2 {
		t.Fatalf("%d entries of GoMLX's table are as expected, want 2: its products stay in use", taken)
	}
	b, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	x := tensors.FromValue([][]float32{{1, 2, 3}, {4, 5, 6}})
	out := MustNewExec(b, func(x *Node) []*Node {
		return []*Node{DotGeneral(x, []int{1}, nil, x, []int{1}, nil), DotGeneral(x, []int{1}, nil, Reshape(x, 3, 2), []int{0}, nil)}
	}).MustCall(x)
	for i, want := range [][]float32{{14, 32, 32, 77}, {22, 28, 49, 64}} {
		if got := tensors.MustCopyFlatData[float32](out[i]); !slices.Equal(got, want) {
			t.Errorf("product %d: %v, want %v", i, got, want)
		}
	}
	if plain.Load() != 1 || transposed.Load() != 1 {
		t.Errorf("%d plain and %d transposed products, want one each", plain.Load(), transposed.Load())
	}
}
