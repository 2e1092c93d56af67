package backend

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// TestONNXProducts compares products of every form that onnxopt knows, and of
// some that it leaves alone, on the onnx backend with the go backend's in float64.
func TestONNXProducts(t *testing.T) {
	if FindORT() == "" {
		t.Skip("ONNX Runtime is not installed")
	}
	for _, c := range []struct {
		equation string
		x, y     []int
	}{
		{"abc,acd->abd", []int{3, 4, 5}, []int{3, 5, 2}},
		{"abcd,abed->abce", []int{2, 3, 4, 5}, []int{2, 3, 6, 5}},
		{"bshd,bthd->bhst", []int{2, 7, 3, 4}, []int{2, 5, 3, 4}},
		{"bhst,bthd->bhsd", []int{2, 3, 7, 5}, []int{2, 5, 3, 4}},
		{"abc,cbd->bad", []int{3, 4, 5}, []int{5, 4, 2}},
		{"abc,cd->abd", []int{3, 4, 5}, []int{5, 2}},
		{"abc,dc->abd", []int{3, 4, 5}, []int{2, 5}},
		{"ab,cbd->acd", []int{3, 4}, []int{5, 4, 2}},
		{"ab,cdb->acd", []int{3, 4}, []int{5, 2, 4}},
		{"abc,abd->cd", []int{3, 4, 5}, []int{3, 4, 2}},
		{"abcd,aed->abce", []int{2, 3, 4, 5}, []int{2, 6, 5}},
	} {
		product := func(spec string, dtype dtypes.DType) []float64 {
			b, err := Open(spec)
			if err != nil {
				t.Fatal(err)
			}
			exec := MustNewExec(b, func(x, y *Node) *Node {
				x, y = ConvertDType(x, dtype), ConvertDType(y, dtype)
				z := Einsum(c.equation, x, y)
				grads := Gradient(ReduceAllSum(Sin(z)), x, y) // of products, which are products
				return ConvertDType(Concatenate([]*Node{Reshape(z, -1), Reshape(grads[0], -1), Reshape(grads[1], -1)}, 0), dtypes.Float32)
			})
			return values(exec.MustCall1(wave(c.x...), wave(c.y...)))
		}
		got, want := product("onnx", dtypes.Float32), product("go", dtypes.Float64)
		for i, v := range got {
			if !(math.Abs(v-want[i]) <= 2e-5*math.Max(1, math.Abs(want[i]))) {
				t.Errorf("%s: value %d is %v, want %v", c.equation, i, v, want[i])
				break
			}
		}
	}
}
