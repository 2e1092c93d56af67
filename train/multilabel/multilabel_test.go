package multilabel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/metrics"
	"wsss/models/backend/backendtest"
)

func TestMeasure(t *testing.T) {
	s := &Examples{Classes: 2, IDs: []string{"a", "b", "c", "d"}}
	for _, bits := range [][2]uint64{{1, 2}, {1, 2}, {0, 1}, {2, 0}} { // d: class 1 unknown
		s.labels = append(s.labels, labels{yes: [4]uint64{bits[0]}, no: [4]uint64{bits[1]}})
	}
	m, err := Measure(s, [][]float32{{0.9, 0.1}, {0.6, 0.8}, {0.7, 0}, {1, 0.5}}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Class 1: yes no yes. Class 2: no, yes, no.
	if want := []float64{(1 + 2.0/3) / 2, 0.5}; math.Abs(m.AP[0]-want[0]) > 1e-9 || math.Abs(m.AP[1]-want[1]) > 1e-9 {
		t.Errorf("AP %v, want %v", m.AP, want)
	}
	if m.Threshold[0] > 0.601 || m.Threshold[1] <= 0.1 || m.Threshold[1] > 0.5 {
		t.Errorf("thresholds %v", m.Threshold)
	}
	if m.Recall != 1 || math.Abs(m.Precision-3.0/5) > 1e-9 {
		t.Errorf("precision %v, recall %v", m.Precision, m.Recall)
	}
	if len(m.Bins) != 4 || m.Bins[1] != (metrics.Bin{N: 1, Mean: 0.5, Yes: 1}) || m.Bins[2].N != 2 || m.ECE <= 0 {
		t.Errorf("bins %+v, ECE %v", m.Bins, m.ECE)
	}
	// Thresholds from elsewhere: class 1 is never said, class 2 always.
	if m, err = Measure(s, [][]float32{{0.9, 0.1}, {0.6, 0.8}, {0.7, 0}, {1, 0.5}}, []float64{0.95, 0}, 0); err != nil {
		t.Fatal(err)
	}
	if m.Precision != 1.0/3 || m.Recall != 1.0/3 {
		t.Errorf("at given thresholds: precision %v, recall %v", m.Precision, m.Recall)
	}
	if _, err := Measure(&Examples{Classes: 1, IDs: []string{"a"}, labels: make([]labels, 1)}, [][]float32{{1}}, nil, 0); err == nil {
		t.Error("nothing to measure is no error")
	}
}

// TestThresholdBeta: a threshold that finds the last positive among negatives
// is worth it where recall counts more.
func TestThresholdBeta(t *testing.T) {
	for _, tt := range []struct{ beta, want float64 }{{0, 0.85}, {1, 0.85}, {0.5, 0.85}, {2, 0.3}} {
		list := []scored{{0.8, false}, {0.6, true}, {0.9, true}, {0.7, false}}
		if got := bestThreshold(list, tt.beta); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("beta %v: threshold %v, want %v", tt.beta, got, tt.want)
		}
	}
}

// TestUnknownHasNoGradient: under ignore, a class that nobody checked has no
// part in the loss.
func TestUnknownHasNoGradient(t *testing.T) {
	b := backendtest.One(t)
	for _, kind := range []string{"bce", "asl"} {
		loss := Loss{Kind: kind, GammaNeg: 4, Margin: 0.05}
		grads := MustExecOnce(b, func(x *Node) *Node {
			g := x.Graph()
			return Gradient(loss.Cost(x, Const(g, [][]float32{{1, 0, 0}}), Const(g, [][]float32{{1, 1, 0}})), x)[0]
		}, [][]float32{{0.3, 0.2, 5}})
		got := tensors.MustCopyFlatData[float32](grads)
		if got[0] >= 0 || got[1] <= 0 || got[2] != 0 {
			t.Errorf("%s: gradient %v", kind, got)
		}
	}
}

// TestHoldOut: images are held out by seed and id alone, and none is lost.
func TestHoldOut(t *testing.T) {
	s := &Examples{Classes: 1}
	for i := range 50 {
		s.IDs, s.labels = append(s.IDs, fmt.Sprint(i)), append(s.labels, labels{yes: [4]uint64{uint64(i)}})
	}
	held, rest := s.HoldOut(0.2, 1)
	again, _ := s.HoldOut(0.2, 1)
	other, _ := s.HoldOut(0.2, 2)
	if len(held.IDs) != 10 || len(rest.IDs) != 40 || !slices.Equal(held.IDs, again.IDs) || slices.Equal(held.IDs, other.IDs) {
		t.Errorf("held out %v and %v, %v with another seed", held.IDs, again.IDs, other.IDs)
	}
	for _, part := range []*Examples{held, rest} {
		for i, id := range part.IDs {
			if fmt.Sprint(part.labels[i].yes[0]) != id || slices.Contains(held.IDs, id) && part == rest {
				t.Errorf("image %s has the labels of %d", id, part.labels[i].yes[0])
			}
		}
	}
	if held, rest := s.HoldOut(0, 1); held != nil || rest != s {
		t.Error("a share of 0 changes the images")
	}
}
