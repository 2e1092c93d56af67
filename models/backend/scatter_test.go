package backend_test

import (
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend/backendtest"
)

// TestScatterSums: sums of which many go into the same place are right in every
// run, however many threads an engine has; for rows and for single values, by one
// index and by two.
func TestScatterSums(t *testing.T) {
	const updates, width, high, wide = 1 << 16, 64, 4, 8
	for name, c := range map[string]struct{ table, row []int }{
		"rows by one index":   {[]int{high * wide}, []int{width}},
		"rows by two indices": {[]int{high, wide}, []int{width}},
		"values by one index": {[]int{high * wide}, nil},
		"values by two":       {[]int{high, wide}, nil},
		"planes by two":       {[]int{high, wide}, []int{2, width / 2}},
	} {
		size := 1
		for _, d := range c.row {
			size *= d
		}
		var index []int32
		want := make([]float32, high*wide*size)
		for i := range updates {
			row := i * i % (high * wide)
			if len(c.table) == 1 {
				index = append(index, int32(row))
			} else {
				index = append(index, int32(row/wide), int32(row%wide))
			}
			for j := range size {
				want[row*size+j]++
			}
		}
		t.Run(name, func(t *testing.T) {
			backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
				exec := MustNewExec(b, func(at, rows *Node) *Node {
					return ScatterSum(Zeros(at.Graph(), shapes.Make(rows.DType(), append(slices.Clone(c.table), c.row...)...)), at, rows, false, false)
				})
				defer exec.Finalize()
				at := tensors.FromFlatDataAndDimensions(index, updates, len(c.table))
				ones := tensors.FromFlatDataAndDimensions(slices.Repeat([]float32{1}, updates*size), append([]int{updates}, c.row...)...)
				for run := range 5 {
					if got := tensors.MustCopyFlatData[float32](exec.MustCall1(at, ones)); !slices.Equal(got, want) {
						t.Fatalf("run %d: %v, want %v", run, got[:size], want[:size])
					}
				}
			})
		})
	}
}

// TestScatterMax: the same of the largest value.
func TestScatterMax(t *testing.T) {
	const updates, places = 1 << 16, 16
	index, values := make([]int32, updates), make([]float32, updates)
	want := make([]float32, places)
	for i := range index {
		index[i], values[i] = int32(i*i%places), float32(i*7919%updates)
		want[index[i]] = max(want[index[i]], values[i])
	}
	backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
		got := MustNewExec(b, func(at, x *Node) *Node {
			return ScatterMax(Zeros(x.Graph(), shapes.Make(x.DType(), places)), at, x, false, false)
		}).MustCall1(tensors.FromFlatDataAndDimensions(index, updates, 1), tensors.FromFlatDataAndDimensions(values, updates))
		if got := tensors.MustCopyFlatData[float32](got); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}
