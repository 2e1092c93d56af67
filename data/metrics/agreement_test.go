package metrics

import (
	"math"
	"testing"
)

func TestAgree(t *testing.T) {
	var x, y []float64
	for i := range 40 {
		x = append(x, float64((i*37)%50/3)/10)
		y = append(y, (float64((i*37)%50)*0.7+float64((i*13)%11))/60)
	}
	a, err := Agree(append(x, math.NaN(), 1), append(y, 1, math.NaN()))
	if err != nil {
		t.Fatal(err)
	}
	// scipy.stats 1.10: spearmanr and pearsonr of the same 40 pairs.
	if math.Abs(a.Spearman-0.963387204931676) > 1e-12 || math.Abs(a.Pearson-0.9616421019819521) > 1e-12 {
		t.Errorf("correlations %v, %v differ from SciPy's", a.Spearman, a.Pearson)
	}
	if a.Images != 40 || a.LowTenth >= a.Mean || a.Found < 0.99 {
		t.Errorf("%+v: low scores must mean low IoU here", a)
	}
	if c, err := Agree([]float64{1, 1, 1}, []float64{0.1, 0.2, 0.3}); err != nil || c.Pearson != 0 || c.Spearman != 0 {
		t.Errorf("constant scores: %+v, %v", c, err)
	}
	if _, err := Agree([]float64{1}, []float64{1}); err == nil {
		t.Error("one image: no error")
	}
	if _, err := Agree(x, y[1:]); err == nil {
		t.Error("unequal lengths: no error")
	}
}
