package layers

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend/backendtest"
)

// array is a float64 tensor of the reference implementations.
type array struct {
	dims []int
	v    []float64
}

func newArray(dims ...int) array {
	size := 1
	for _, d := range dims {
		size *= d
	}
	return array{dims, make([]float64, size)}
}

// random fills an array with multiples of 1/64, exact in float32.
func random(seed uint64, dims ...int) array {
	a := newArray(dims...)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range a.v {
		a.v[i] = float64(r.IntN(257)-128) / 64
	}
	return a
}

func (a array) at(i ...int) *float64 {
	k := 0
	for d, x := range i {
		k = k*a.dims[d] + x
	}
	return &a.v[k]
}

func (a array) tensor() *tensors.Tensor {
	flat := make([]float32, len(a.v))
	for i, v := range a.v {
		flat[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(flat, a.dims...)
}

// each runs a test on every engine at hand.
func each(t *testing.T, test func(*testing.T, compute.Backend)) {
	backendtest.Each(t, backendtest.Names(t), test)
}

// checkOp compares a graph function with a float64 reference: its result, and
// its gradients with central differences of the reference.
func checkOp(t *testing.T, b compute.Backend, op func(in []*Node) *Node, ref func(in []array) array, in ...array) {
	t.Helper()
	want := ref(in)
	weights := random(99, want.dims...)
	args := []any{weights.tensor()}
	for _, a := range in {
		args = append(args, a.tensor())
	}
	exec := MustNewExec(b, func(nodes []*Node) []*Node {
		y := op(nodes[1:])
		loss := ReduceAllSum(Mul(y, nodes[0]))
		return append([]*Node{y}, Gradient(loss, nodes[1:]...)...)
	})
	got := exec.MustCall(args...)
	compare(t, "result", got[0], want)
	loss := func() float64 {
		sum := 0.0
		for i, v := range ref(in).v {
			sum += v * weights.v[i]
		}
		return sum
	}
	const h = 1e-6
	for k, a := range in {
		grad := newArray(a.dims...)
		for i := range a.v {
			was := a.v[i]
			a.v[i] = was + h
			up := loss()
			a.v[i] = was - h
			grad.v[i] = (up - loss()) / (2 * h)
			a.v[i] = was
		}
		compare(t, "gradient", got[k+1], grad)
	}
}

// compare allows an error of 1e-5 of the largest value.
func compare(t *testing.T, what string, got *tensors.Tensor, want array) {
	t.Helper()
	flat := tensors.MustCopyFlatData[float32](got)
	if len(flat) != len(want.v) {
		t.Fatalf("%s has shape %s, want %v", what, got.Shape(), want.dims)
	}
	largest, worst, where := 1.0, 0.0, 0
	for i, w := range want.v {
		largest = max(largest, math.Abs(w))
		if d := math.Abs(float64(flat[i]) - w); !(d <= worst) {
			worst, where = d, i
		}
	}
	if !(worst <= 1e-5*largest) {
		t.Errorf("%s %v: %v at %d, want %v", what, want.dims, flat[where], where, want.v[where])
	}
}
