// Package weightstest compares what networks give with values that a reference
// package has written to a file.
package weightstest

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/weights"
)

// Close fails where a float32 tensor has another shape than want, or a value that differs
// by more than tolerance.
func Close(t *testing.T, what string, got, want *tensors.Tensor, tolerance float64) {
	t.Helper()
	a, b := tensors.MustCopyFlatData[float32](got), tensors.MustCopyFlatData[float32](want)
	if !slices.Equal(got.Shape().Dimensions, want.Shape().Dimensions) {
		t.Fatalf("%s of shape %v, want %v", what, got.Shape(), want.Shape())
	}
	worst := 0.0
	for i := range a {
		worst = max(worst, math.Abs(float64(a[i]-b[i])))
	}
	if !(worst <= tolerance) {
		t.Errorf("%s differs by %.1e", what, worst)
	}
	t.Logf("%s: %.1e", what, worst)
}

// Near fails where a float32 tensor differs from tensor key of ref by more than
// 1e-4 of ref's largest value, or of floor where that is larger. what names it in
// messages.
func Near(t *testing.T, what string, got *tensors.Tensor, ref weights.Source, key string, floor float64) {
	t.Helper()
	x := Tensor(t, ref, key)
	have, want := tensors.MustCopyFlatData[float32](got), tensors.MustCopyFlatData[float32](x)
	if len(have) != len(want) {
		t.Fatalf("%s has shape %s, want %s", what, got.Shape(), x.Shape())
	}
	worst, top := 0.0, 0.0
	for i := range want {
		worst, top = max(worst, math.Abs(float64(have[i]-want[i]))), max(top, math.Abs(float64(want[i])))
	}
	t.Logf("%s: %.1e of %.1e", what, worst, top)
	if !(worst <= 1e-4*max(top, floor)) {
		t.Errorf("%s differs by %.1e of %.1e", what, worst, top)
	}
}
