package metrics

import (
	"math"
	"testing"

	"wsss/data"
	"wsss/data/datatest"
)

// apFixture is testdata/ap.json, made by gen_ap.py.
type apFixture struct {
	Classifier []struct {
		Scores            []float64
		Hits              []int
		AP11, Area, Plain float64
	}
	Classes int
	Images  []struct {
		Truth []struct {
			C                int
			Box              [4]float32
			Crowd, Difficult int
			Area             float64
		}
		Found []struct {
			C     int
			Box   [4]float32
			Score float64
		}
	}
	Scores struct {
		AP, AP50, AP75, Small, Medium, Large, AR1, AR10, AR100 float64
		PerClass                                               []*float64 `json:"per_class"`
		VOC07, VOC10, Plain                                    float64
	}
}

func readAP(t *testing.T) apFixture {
	t.Helper()
	var f apFixture
	datatest.JSON(t, "testdata/ap.json", &f)
	return f
}

// near allows for sums in another order.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12 }

func TestRankingNumPy(t *testing.T) {
	for i, c := range readAP(t).Classifier {
		var r Ranking
		for k, s := range c.Scores {
			r.Add(s, c.Hits[k] == 1)
			r.AddPositives(c.Hits[k])
		}
		if got := [3]float64{r.AP11(), r.APArea(), r.AP()}; !near(got[0], c.AP11) || !near(got[1], c.Area) || !near(got[2], c.Plain) {
			t.Errorf("case %d: AP %v, NumPy has %v %v %v", i, got, c.AP11, c.Area, c.Plain)
		}
	}
	var none Ranking
	none.Add(0.5, false)
	if !math.IsNaN(none.AP()) || !math.IsNaN(none.AP11()) || !math.IsNaN(none.APArea()) {
		t.Error("AP without positives is not NaN")
	}
	var missed Ranking
	missed.AddPositives(3)
	if got := MeanAP([]Ranking{none, missed}, (*Ranking).APArea); got != 0 {
		t.Errorf("mean AP %v, want 0: one class has no positives, the other no guess", got)
	}
}

func TestDetectionNumPy(t *testing.T) {
	f := readAP(t)
	d, err := NewDetection(f.Classes)
	if err != nil {
		t.Fatal(err)
	}
	for _, im := range f.Images {
		var truth []TrueBox
		var found []FoundBox
		for _, b := range im.Truth {
			truth = append(truth, TrueBox{data.Box{X0: b.Box[0], Y0: b.Box[1], X1: b.Box[2], Y1: b.Box[3], Class: b.C, Crowd: b.Crowd == 1, Difficult: b.Difficult == 1}, b.Area})
		}
		for _, b := range im.Found {
			found = append(found, FoundBox{data.Box{X0: b.Box[0], Y0: b.Box[1], X1: b.Box[2], Y1: b.Box[3], Class: b.C}, b.Score})
		}
		if err := d.Add(truth, found); err != nil {
			t.Fatal(err)
		}
	}
	got, want := d.Scores(), f.Scores
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"AP", got.AP, want.AP}, {"AP50", got.AP50, want.AP50}, {"AP75", got.AP75, want.AP75},
		{"APSmall", got.APSmall, want.Small}, {"APMedium", got.APMedium, want.Medium}, {"APLarge", got.APLarge, want.Large},
		{"AR1", got.AR1, want.AR1}, {"AR10", got.AR10, want.AR10}, {"AR100", got.AR100, want.AR100},
		{"VOC07", got.VOC07, want.VOC07}, {"VOC10", got.VOC10, want.VOC10}, {"uninterpolated", got.Uninterpolated, want.Plain},
	} {
		if !near(c.got, c.want) {
			t.Errorf("%s = %v, NumPy has %v", c.name, c.got, c.want)
		}
	}
	for c, w := range want.PerClass {
		if g := got.PerClass[c]; w == nil && !math.IsNaN(g) || w != nil && !near(g, *w) {
			t.Errorf("AP of class %d = %v, NumPy has %v", c, g, w)
		}
	}
}

func TestDetectionEdges(t *testing.T) {
	d, err := NewDetection(3)
	if err != nil {
		t.Fatal(err)
	}
	box := data.Box{X1: 10, Y1: 10, Class: 1}
	if err := d.Add([]TrueBox{{Box: box}}, []FoundBox{{box, 0.9}, {box, 0.8}}); err != nil {
		t.Fatal(err)
	}
	if s := d.Scores(); !near(s.AP, 1) || s.VOC10 != 1 || !math.IsNaN(s.APLarge) || !math.IsNaN(s.PerClass[2]) {
		t.Errorf("a perfect detection and its double: %+v", s)
	}
	if d.Add([]TrueBox{{Box: data.Box{Class: 3}}}, nil) == nil || d.Add(nil, []FoundBox{{data.Box{Class: -1}, 1}}) == nil || d.Add(nil, []FoundBox{{box, math.NaN()}}) == nil {
		t.Error("foreign class or score: no error")
	}
	if _, err := NewDetection(0); err == nil {
		t.Error("no classes: no error")
	}
	empty, _ := NewDetection(2)
	if s := empty.Scores(); !math.IsNaN(s.AP) || !math.IsNaN(s.VOC10) || !math.IsNaN(s.AR100) {
		t.Errorf("no images: %+v", s)
	}
}
