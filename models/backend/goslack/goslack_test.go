//go:build linux

package goslack_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sys/unix"

	"wsss/models/backend"
	"wsss/models/backend/goslack"
)

// guarded is memory whose last Bytes end at a page that must not be read: what
// reads further ends the process.
func guarded(size int) []byte {
	page := unix.Getpagesize()
	pages := (size + goslack.Bytes + page - 1) / page * page
	m, err := unix.Mmap(-1, 0, pages+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err == nil {
		err = unix.Mprotect(m[pages:], unix.PROT_NONE)
	}
	if err != nil {
		panic(err)
	}
	start := pages - goslack.Bytes - size
	return m[start : start+size : start+size]
}

// TestRowsEnd: no operation reads more than Bytes behind an array, whatever the
// rows' length.
func TestRowsEnd(t *testing.T) {
	b, err := gobackend.New("parallelism=1")
	if err != nil {
		t.Fatal(err)
	}
	if err := goslack.Give(b, guarded); err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64, dtypes.BFloat16, dtypes.Float16, dtypes.Int32, dtypes.Int64, dtypes.Uint8} {
		for _, columns := range []int{1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 21, 31, 33, 63, 65} {
			t.Run(fmt.Sprintf("%s×%d", dtype, columns), func(t *testing.T) { operate(t, b, dtype, columns) })
		}
	}
}

// operate runs the operations that GoMLX has vector code for on 128 rows, which
// with columns that are powers of two fill their arrays to the end.
func operate(t *testing.T, b compute.Backend, dtype dtypes.DType, columns int) {
	t.Helper()
	zeros := func(dims ...int) *tensors.Tensor { return tensors.FromShape(shapes.Make(dtype, dims...)) }
	exec := graph.MustNewExec(b, func(in []*graph.Node) []*graph.Node {
		m, row := in[0], in[1]
		var out []*graph.Node
		for _, r := range []*graph.Node{row, m, graph.ReduceAndKeep(m, graph.ReduceSum, -1)} {
			out = append(out, graph.Add(m, r), graph.Sub(r, m), graph.Mul(m, r), graph.Max(r, m), graph.Min(m, r))
			if dtype.IsFloat() {
				out = append(out, graph.Div(m, graph.OnePlus(graph.Square(r))))
			}
		}
		out = append(out, graph.ReduceSum(m, 0), graph.ReduceSum(m, 1), graph.ReduceMax(m, 0), graph.ReduceMax(m, 1), graph.ReduceAllMin(m))
		if dtype.IsFloat() {
			out = append(out, graph.Exp(m), graph.Tanh(m), graph.Sigmoid(m), graph.Sqrt(graph.Square(m)), graph.Neg(m), graph.Abs(m),
				graph.MatMul(m, graph.Transpose(m, 0, 1)), graph.MatMul(graph.Transpose(m, 0, 1), m))
		}
		if dtype == dtypes.Float32 || dtype == dtypes.Float64 {
			out = append(out, graph.Softmax(m), graph.Softmax(m, 0))
		}
		return out
	})
	defer exec.Finalize()
	outs, err := exec.Call(zeros(128, columns), zeros(1, columns))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outs {
		o.MustFinalizeAll()
	}
}

// TestSlack: the arrays of the go backend that wsss opens have the slack.
func TestSlack(t *testing.T) {
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 2, 3, 4, 100, 4096, 5000, 1 << 20, 3 << 20} {
		array, err := b.BufferFromFlatData(0, make([]uint8, size), shapes.Make(dtypes.Uint8, size))
		if err != nil {
			t.Fatal(err)
		}
		raw := reflect.ValueOf(array).Elem().FieldByName("Buffer").Elem().Elem().FieldByName("RawBytes")
		if raw.Len() < size || raw.Cap() < raw.Len()+goslack.Bytes {
			t.Errorf("an array of %d bytes has %d, %d in memory", size, raw.Len(), raw.Cap())
		}
	}
}

func TestGiveRefuses(t *testing.T) {
	if err := goslack.Give(nil, goslack.Heap); err == nil {
		t.Error("nil is a backend")
	}
}
