package early

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/models/backend/backendtest"
)

func (c Curve) at(t float64) float64 { return c.Height * -math.Expm1(-c.Rate*math.Pow(t, c.Bend)) }

// TestFit: values of a curve give its slopes, whatever the passes between them.
func TestFit(t *testing.T) {
	for _, want := range []Curve{{0.8, 0.7, 0.9}, {0.5, 2, 0.5}, {0.9, 0.1, 1}, {0.95, 5, 0.4}} {
		for _, apart := range []float64{0.25, 1} {
			var passes, iou []float64
			for i := range 12 {
				at := apart * float64(i+1)
				passes, iou = append(passes, at), append(iou, want.at(at))
			}
			got := Fit(passes, iou)
			for _, at := range []float64{1, 3} {
				if a, b := got.Slope(at), want.Slope(at); math.Abs(a-b) > 0.03*b {
					t.Errorf("%v, passes %g apart: slope %g after %g, want %g (%v)", want, apart, a, at, b, got)
				}
			}
		}
	}
}

// feed gives a tracker of four classes the counts of an update: agreement on the
// first saturates, on the second grows evenly, the third is hardly ever right, the
// fourth does not occur.
func feed(t *Tracker, update int) {
	pass := float64(update) / float64(t.perEpoch)
	agree := []float64{Curve{0.8, 0.7, 0.9}.at(pass), 0.02 * pass, 0.05, 0}
	counts := make([]float32, kinds*t.classes)
	for c, v := range agree {
		if c == 3 {
			break
		}
		const pixels = 1e6 // of the union
		counts[c], counts[t.classes+c], counts[2*t.classes+c] = float32(math.Round(v*pixels)), float32(math.Round(v*pixels)), pixels
	}
	t.Add(counts)
}

// TestTracker: a class is learnt when its agreement grows slowly, no earlier, and
// a tracker that was saved and restored after any update says the same.
func TestTracker(t *testing.T) {
	run := func(cut int) (said string) {
		tr := New(0.9, 2, 2, 4)
		for update := 1; update <= 40; update++ {
			feed(tr, update)
			iou, learnt := tr.After(update)
			if (iou != nil) != (update%2 == 0) {
				t.Fatalf("update %d: agreement %v", update, iou)
			}
			said += fmt.Sprintln(update, iou, learnt, tr.Learned())
			if update == cut {
				saved := tr.State()
				tr = New(0.9, 2, 2, 4)
				if err := tr.Restore(func(name string) (*tensors.Tensor, error) { return saved[name], nil }); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !slices.Equal(tr.Learned(), []float32{1, 0, 0, 0}) {
			t.Errorf("learnt are %v, want the first class alone", tr.Learned())
		}
		return said
	}
	whole := run(0)
	for _, cut := range []int{1, 2, 3, 9, 39} {
		if run(cut) != whole {
			t.Errorf("restored after update %d it says something else", cut)
		}
	}
	// The slope of the first class has fallen by 90 % after 4.8 passes; a point is the
	// mean of the pass before it.
	tr := New(0.9, 2, 2, 4)
	for update := 1; update <= 12; update++ {
		feed(tr, update)
		if _, learnt := tr.After(update); (len(learnt) > 0) != (update == 12) {
			t.Errorf("after %d updates learnt are %v", update, learnt)
		}
	}
	saved := New(0.9, 2, 2, 5).State()
	if err := tr.Restore(func(name string) (*tensors.Tensor, error) { return saved[name], nil }); err == nil {
		t.Error("the state of five classes is taken for that of four")
	}
}

func TestCounts(t *testing.T) {
	const void = data.Ignore
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		labels := tensors.FromFlatDataAndDimensions([]uint8{0, 1, 2, void, 1, 1}, 1, 2, 3)
		logits := tensors.FromFlatDataAndDimensions([]float32{
			1, 0, 0 /* 0 */, 0, 2, 1 /* 1 */, 0, 3, 1, /* 1 */
			5, 0, 0 /* void */, 0, 0, 9 /* 2 */, -2, -1, -3, /* 1 */
		}, 1, 2, 3, 3)
		out := MustNewExec(b, Counts).MustCall(logits, labels)[0]
		if got := tensors.MustCopyFlatData[float32](out); !slices.Equal(got, []float32{1, 2, 0, 1, 3, 1, 1, 3, 1}) {
			t.Errorf("agreeing, network's, labels' pixels %v", got)
		}
	})
}
