package published

import (
	"fmt"
	"testing"
)

// TestMeasures: what papers print beside mIoU is of rows that exist.
func TestMeasures(t *testing.T) {
	known := 0
	for _, r := range All() {
		for _, m := range r.Measures() {
			known++
			if v, ok := r.Measure(m.Name); !ok || v != m.Percent || m.Name != ClassifierMAP && m.Name != BoxMAP && m.Name != Gain {
				t.Errorf("%s: %+v", r.Source(), m)
			}
		}
	}
	if known != 5 || len(measures()) != 3 {
		t.Errorf("%d measures of %d rows", known, len(measures()))
	}
	if r, _ := ByName("box2024 5 2"); len(r.Measures()) != 2 || r.Measures()[0] != (Measure{ClassifierMAP, 96.2}) {
		t.Errorf("box2024 5 2: %+v", r.Measures())
	}
}

func TestAll(t *testing.T) {
	count := map[string]int{}
	for _, r := range All() {
		count[r.Paper+" "+r.Table]++
		if r.Number != count[r.Paper+" "+r.Table] {
			t.Errorf("%s (%s): want row %d", r.Source(), r.Method, count[r.Paper+" "+r.Table])
		}
		if r.Method == "" || len(r.Scores)+len(r.Measures()) == 0 {
			t.Errorf("%s has no method or no score", r.Source())
		}
		for c, s := range r.Scores {
			if s.Percent < 30 || s.Percent > 100 {
				t.Errorf("%s: %s = %g", r.Source(), c, s.Percent)
			}
		}
	}
	for table, want := range map[string]int{"chen2023 1": 56, "box2024 1": 18, "box2024 2": 15, "box2024 3": 10, "jiang2023 1": 13, "jiang2023 2": 10, "jiang2023 3": 15, "box2024 5": 2, "box2024 6": 3, "sepl2023 -": 2} {
		if count[table] != want {
			t.Errorf("%s has %d rows, want %d", table, count[table], want)
		}
	}
	tests := []struct {
		paper, table string
		row          int
		method       string
		column       Column
		want         float64
		doubted      bool
	}{
		{"chen2023", "1", 2, "AMN", COCOPseudo, 46.7, false},
		{"chen2023", "1", 16, "PPC+EPS", VOCTest, 73.6, false},
		{"chen2023", "1", 34, "OOA", VOCVal, 65.2, false},
		{"chen2023", "1", 39, "MCTformer", COCOVal, 42.0, false},
		{"chen2023", "1", 54, "SAM (text input)", VOCPseudo, 86.4, false},
		{"chen2023", "1", 55, "SAM (zero-shot)", COCOVal, 54.6, false},
		{"chen2023", "1", 56, "Fully-Supervised", VOCTest, 75.6, false},
		{"box2024", "1", 18, "CLIP + Grounding-DINO + SAM", VOCVal, 78.3, false},
		{"box2024", "2", 13, "WSSS-SAM", COCOVal, 45.9, false},
		{"box2024", "3", 7, "CLIP-ES (CAA+CRF)", VOCPseudo, 42.3, true},
		{"box2024", "3", 8, "WeakTr (CRF)", VOCPseudo, 68.7, false},
		{"jiang2023", "2", 8, "Points + SAM", VOCPseudo, 69.1, true},
		{"jiang2023", "1", 12, "Scribbles (a fifth; iterative; negatives) + SAM", VOCPseudo, 89.7, false},
		{"jiang2023", "3", 15, "Bounding boxes + SAM", VOCTest, 75.8, false},
	}
	for _, tt := range tests {
		r, ok := ByName(fmt.Sprint(tt.paper, " ", tt.table, " ", tt.row))
		if s := r.Scores[tt.column]; !ok || r.Method != tt.method || s.Percent != tt.want || (s.Doubt != "") != tt.doubted {
			t.Errorf("%s: %s, %s = %+v, want %s, %g, doubted %t", r.Source(), r.Method, tt.column, s, tt.method, tt.want, tt.doubted)
		}
	}
	if _, ok := ByName("jiang2023 3 16"); ok {
		t.Error("a row that does not exist was found")
	}
}

func TestParseErrors(t *testing.T) {
	head := "paper,table,row,group,method,venue,supervision,backbone,segmenter,pretrain,voc_pseudo,voc_val,voc_test,coco_pseudo,coco_val,doubt\n"
	for name, text := range map[string]string{
		"paper":  head + "nobody,1,1,,M,,,,,,1,,,,,\n",
		"row":    head + "box2024,1,x,,M,,,,,,1,,,,,\n",
		"score":  head + "box2024,1,1,,M,,,,,,1%,,,,,\n",
		"fields": head + "box2024,1,1\n",
	} {
		if _, err := parse(text); err == nil {
			t.Errorf("bad %s: no error", name)
		}
	}
}

// TestPerClass: the survey's numbers of classes, of rows that exist. Their mean
// with a background of some 95 is the row's number.
func TestPerClass(t *testing.T) {
	for name, want := range map[string]struct{ table, person float64 }{"chen2023 1 54": {48.9, 90.0}, "chen2023 1 55": {31.2, 86.0}} {
		r, ok := ByName(name)
		got := r.PerClass(VOCPseudo)
		if !ok || len(got) != 20 || got["diningtable"] != want.table || got["person"] != want.person {
			t.Errorf("%s: %v", name, got)
		}
		sum := 0.0
		for _, v := range got {
			sum += v
		}
		if background := 21*r.Scores[VOCPseudo].Percent - sum; background < 85 || background > 100 {
			t.Errorf("%s: the classes leave %.1f for the background", name, background)
		}
	}
	if r, _ := ByName("chen2023 1 53"); r.PerClass(VOCPseudo) != nil {
		t.Error("numbers of classes that nobody printed")
	}
}
