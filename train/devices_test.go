package train

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/models/backend/backendtest"
)

// The gradient of a batch is the sum of those of its parts, each weighted with
// its share of the labelled pixels: what devices must add up to.
func TestGradientIsTheSumOverParts(t *testing.T) {
	b := backendtest.One(t)
	const images, side, classes = 4, 3, 5
	x := make([]float32, images*side*side*2)
	labels := make([]uint8, images*side*side)
	for i := range x {
		x[i] = float32(i*37%101)/50 - 1
	}
	for i := range labels {
		labels[i] = uint8(i * 7 % classes)
		if i%4 == 0 && i > 12 || i == 1 {
			labels[i] = data.Ignore
		}
	}
	w := make([]float32, 2*classes)
	for i := range w {
		w[i] = float32(i%3) - 0.7
	}
	exec := MustNewExec(b, func(x, labels, w *Node) *Node {
		n := x.Shape().Dim(0)
		logits := Reshape(Dot(Reshape(x, n*side*side, 2), w).Product(), n, side, side, classes)
		return Gradient(Loss{}.Mean(logits, labels, nil, Moment{}), w)[0]
	})
	gradient := func(first, n int) (g []float32, labelled float64) {
		l := labels[first*side*side:][:n*side*side]
		for _, v := range l {
			if v != data.Ignore {
				labelled++
			}
		}
		return tensors.MustCopyFlatData[float32](exec.MustCall1(
			tensors.FromFlatDataAndDimensions(x[first*side*side*2:][:n*side*side*2], n, side, side, 2),
			tensors.FromFlatDataAndDimensions(l, n, side, side),
			tensors.FromFlatDataAndDimensions(w, 2, classes))), labelled
	}
	want, all := gradient(0, images)
	sum := make([]float64, len(want))
	for first := 0; first < images; first += 2 {
		g, n := gradient(first, 2)
		for i, v := range g {
			sum[i] += float64(v) * n / all
		}
	}
	for i := range want {
		if math.Abs(sum[i]-float64(want[i])) > 1e-6 {
			t.Fatalf("weight %d: parts give %v, the batch %v", i, sum[i], want[i])
		}
	}
}
