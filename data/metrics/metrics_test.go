package metrics

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/datatest"
)

type wantScores struct {
	IoU       []*float64 `json:"iou"`
	Precision []*float64 `json:"precision"`
	Recall    []*float64 `json:"recall"`
	NaNMean   float64    `json:"nan_mean"`
	TruthOnly float64    `json:"truth_only"`
	PixelAcc  float64    `json:"pixel_acc"`
	MeanAcc   float64    `json:"mean_acc"`
	FWIoU     float64    `json:"fwiou"`
	Pixels    uint64     `json:"pixels"`
}

type wantCase struct {
	Images, Classes, Block int
	Background, Drop       wantScores
	Bootstrap, Paired      struct{ Lo, Hi, P, Delta float64 }
	Boundary               struct {
		IoU          []*float64
		Mean, Trimap float64
	}
}

func expected(t *testing.T) map[string]wantCase {
	t.Helper()
	var w map[string]wantCase
	datatest.JSON(t, "testdata/expected.json", &w)
	return w
}

// fixture makes the label maps of testdata/gen_metrics.py.
func fixture(index, classes, block int) (truth, pred *data.LabelMap) {
	mix := func(x uint64) uint64 { s := splitMix(x); return s.next() }
	w, h := 31+index%23, 29+index%17
	truth, pred = data.NewLabelMap(w, h), data.NewLabelMap(w, h)
	for y := range h {
		for x := range w {
			key := uint64(index)*1000003 + uint64(y/block)*4099 + uint64(x/block)
			r, r2 := mix(key), mix(key+77^0x5555)
			t := uint8(r % uint64(classes-2))
			if r>>20%9 == 0 {
				t = data.Ignore
			}
			p := t
			if r2>>8%3 == 0 {
				p = uint8(r2 % uint64(classes-1))
			}
			if p == data.Ignore {
				p = 0
			}
			if mix(uint64(y*w+x+index))>>5%13 == 0 {
				p = data.Ignore
			}
			truth.Set(x, y, t)
			pred.Set(x, y, p)
		}
	}
	return truth, pred
}

func same(got float64, want *float64) bool {
	return want == nil && math.IsNaN(got) || want != nil && got == *want
}

func checkAll(t *testing.T, what string, got []float64, want []*float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !same(got[i], want[i]) {
			t.Errorf("%s of class %d = %v, want %v", what, i, got[i], want[i])
		}
	}
}

// TestNumPy compares every score with NumPy's, to the last digit, over sets
// with void truth, void predictions, a class that never occurs and one that is
// only predicted.
func TestNumPy(t *testing.T) {
	for name, w := range expected(t) {
		t.Run(name, func(t *testing.T) {
			total, _ := NewConfusion(w.Classes)
			half, _ := NewConfusion(w.Classes)
			for i := range w.Images {
				truth, pred := fixture(i, w.Classes, w.Block)
				c := total
				if i%2 == 1 {
					c = half
				}
				if err := c.Add(truth.Pix, pred.Pix); err != nil {
					t.Fatal(err)
				}
			}
			if err := total.Merge(half); err != nil {
				t.Fatal(err)
			}
			for void, want := range map[Void]wantScores{VoidBackground: w.Background, VoidDrop: w.Drop} {
				s := total.Scores(Protocol{Void: void})
				checkAll(t, string(void)+" IoU", s.IoU, want.IoU)
				checkAll(t, string(void)+" precision", s.Precision, want.Precision)
				checkAll(t, string(void)+" recall", s.Recall, want.Recall)
				got := []float64{s.MIoU, total.Scores(Protocol{Void: void, Absent: TruthOnly}).MIoU, s.PixelAcc, s.MeanAcc, s.FWIoU}
				for i, v := range []float64{want.NaNMean, want.TruthOnly, want.PixelAcc, want.MeanAcc, want.FWIoU} {
					if got[i] != v {
						t.Errorf("%s: %s = %.17g, NumPy %.17g", void, []string{"nan-mean mIoU", "truth-only mIoU", "pixel accuracy", "mean accuracy", "FWIoU"}[i], got[i], v)
					}
				}
				if s.Pixels != want.Pixels {
					t.Errorf("%s: %d pixels, want %d", void, s.Pixels, want.Pixels)
				}
			}
		})
	}
}

func TestBootstrapNumPy(t *testing.T) {
	w := expected(t)["voc"]
	var a, b [][]ClassCount
	for i := range 80 {
		truth, pred := fixture(i, w.Classes, w.Block)
		c, _ := NewConfusion(w.Classes)
		if err := c.Add(truth.Pix, pred.Pix); err != nil {
			t.Fatal(err)
		}
		a = append(a, c.Counts(VoidBackground).Sparse())
		// The other run of the generator: the matrix with its rows shifted by one class.
		m := c.Matrix(VoidBackground)
		k := NewCounts(w.Classes)
		for r := range m {
			to := (r + 1) % w.Classes
			for p, n := range m[r] {
				k.Truth[to] += n
				k.Pred[p] += n
				if p == to {
					k.TP[to] += n
				}
			}
		}
		b = append(b, k.Sparse())
	}
	boot := Boot{Resamples: 200, Seed: 7}
	got, err := Bootstrap(a, w.Classes, boot)
	if err != nil {
		t.Fatal(err)
	}
	if got.Lo != w.Bootstrap.Lo || got.Hi != w.Bootstrap.Hi {
		t.Errorf("interval %.17g..%.17g, NumPy %.17g..%.17g", got.Lo, got.Hi, w.Bootstrap.Lo, w.Bootstrap.Hi)
	}
	d, err := Paired(a, b, w.Classes, boot)
	if err != nil {
		t.Fatal(err)
	}
	if d.Delta != w.Paired.Delta || d.Interval.Lo != w.Paired.Lo || d.Interval.Hi != w.Paired.Hi || d.P != w.Paired.P {
		t.Errorf("paired %+v, NumPy %+v", d, w.Paired)
	}
	if _, err := Paired(a, b[1:], w.Classes, boot); err == nil {
		t.Error("paired comparison of different image counts: no error")
	}
	if _, err := Bootstrap(nil, w.Classes, boot); err == nil {
		t.Error("bootstrap over no images: no error")
	}
}

func TestBoundarySciPy(t *testing.T) {
	w := expected(t)["voc"]
	b, _ := NewBoundary(w.Classes)
	other, _ := NewBoundary(w.Classes)
	for i := range 40 {
		truth, pred := fixture(i, w.Classes, 9)
		acc := b
		if i%3 == 0 {
			acc = other
		}
		if err := acc.Add(truth, pred); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Merge(other); err != nil {
		t.Fatal(err)
	}
	mean, iou, trimap := b.Scores(NaNMean)
	checkAll(t, "boundary IoU", iou, w.Boundary.IoU)
	if mean != w.Boundary.Mean || trimap != w.Boundary.Trimap {
		t.Errorf("boundary %.17g, trimap %.17g; SciPy %.17g, %.17g", mean, trimap, w.Boundary.Mean, w.Boundary.Trimap)
	}
}

// TestAddMatchesNaive checks the run-wise loop against one pixel at a time, for
// run lengths around its 8-pixel steps and every byte value.
func TestAddMatchesNaive(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for trial := range 300 {
		n := rng.IntN(200)
		truth, pred := make([]uint8, n), make([]uint8, n)
		for i := 0; i < n; {
			t, p := uint8(rng.IntN(256)), uint8(rng.IntN(256))
			for k := rng.IntN(1 + trial%40); k >= 0 && i < n; k-- {
				truth[i], pred[i] = t, p
				i++
			}
		}
		c, _ := NewConfusion(21)
		if err := c.Add(truth, pred); err != nil {
			t.Fatal(err)
		}
		want := make([]uint64, len(c.cells))
		var voidTruth, outside, voidPred uint64
		for i := range truth {
			want[c.row[truth[i]]+c.col[pred[i]]]++
			if truth[i] > 20 {
				voidTruth++
			} else if pred[i] > 20 {
				voidPred++
			}
			if pred[i] > 20 && pred[i] != 255 {
				outside++
			}
		}
		for i := range want {
			if c.cells[i] != want[i] {
				t.Fatalf("trial %d: cell %d = %d, want %d", trial, i, c.cells[i], want[i])
			}
		}
		if c.VoidTruth() != voidTruth || c.OutOfRange() != outside || c.VoidPred() != voidPred {
			t.Fatalf("trial %d: void truth %d, outside %d, void prediction %d; want %d, %d, %d",
				trial, c.VoidTruth(), c.OutOfRange(), c.VoidPred(), voidTruth, outside, voidPred)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, n := range []int{0, -1, 256} {
		if _, err := NewConfusion(n); err == nil {
			t.Errorf("NewConfusion(%d): no error", n)
		}
	}
	a, _ := NewConfusion(2)
	b, _ := NewConfusion(3)
	if err := a.Merge(b); err == nil {
		t.Error("merge of 2 and 3 classes: no error")
	}
	if err := a.Add(make([]uint8, 3), make([]uint8, 4)); err == nil {
		t.Error("maps of different size: no error")
	}
	if s := a.Scores(Protocol{}); !math.IsNaN(s.MIoU) || !math.IsNaN(s.PixelAcc) {
		t.Errorf("empty matrix scores %+v, want NaN", s)
	}
	var c ClassCount
	for _, bad := range []string{`[1,2]`, `[300,0,0,0]`, `[1,5,4,9]`, `"x"`} {
		if err := json.Unmarshal([]byte(bad), &c); err == nil {
			t.Errorf("class count %s: no error", bad)
		}
	}
}

func TestAnalysis(t *testing.T) {
	images := [][]ClassCount{
		{{0, 900, 1000, 950}, {1, 50, 100, 100}},                      // small, IoU 1/3
		{{0, 900, 1000, 950}, {1, 2000, 4000, 2000}, {2, 0, 0, 9999}}, // medium, IoU 1/2; class 2 has no truth
		{{2, 10000, 10000, 10000}},                                    // large, IoU 1
	}
	got, err := BySize(images, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{50. / 150, .5, 1} {
		if got[i].MIoU != want || got[i].Regions != 1 {
			t.Errorf("%s: mIoU %g over %d regions, want %g over 1", got[i].Name, got[i].MIoU, got[i].Regions, want)
		}
	}
	if _, err := BySize(images, 2); err == nil || !strings.Contains(err.Error(), "class 2") {
		t.Errorf("count of an unknown class: error %v", err)
	}
	pairs := Pairs([][]uint64{{90, 10, 0}, {30, 60, 10}, {0, 0, 5}}, 2)
	if len(pairs) != 2 || pairs[0] != (Pair{1, 0, 30, .3}) || pairs[1] != (Pair{0, 1, 10, .1}) {
		t.Errorf("pairs = %+v", pairs)
	}
}

func BenchmarkAdd(b *testing.B) {
	truth, pred := data.NewLabelMap(500, 375), data.NewLabelMap(500, 375)
	for i := range truth.Pix {
		truth.Pix[i] = uint8(i / 37 % 5)
		pred.Pix[i] = uint8(i / 41 % 5)
	}
	c, _ := NewConfusion(21)
	b.SetBytes(int64(len(truth.Pix)))
	for b.Loop() {
		if err := c.Add(truth.Pix, pred.Pix); err != nil {
			b.Fatal(err)
		}
	}
}
