package eval

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/data"
)

func TestDisagree(t *testing.T) {
	ds, preds := sample(12, 40, 30, 6)
	other := map[string]*data.LabelMap{}
	for i, id := range ds.ids {
		m := data.NewLabelMap(40, 30) // right on the background only, or void
		if i%2 == 0 {
			m = ds.truth[id].Clone() // right wherever it counts
		} else {
			for k := range 100 {
				m.Pix[k] = data.Ignore
			}
		}
		other[id] = m
	}
	a, b := t.TempDir(), t.TempDir()
	writeAll(t, a, preds)
	writeAll(t, b, other)
	var first *Disagreement
	for _, workers := range []int{1, 3} {
		d, err := Disagree(context.Background(), ds, ds.ids, a, b, workers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Images) != 12 {
			t.Fatalf("%d images, want 12", len(d.Images))
		}
		var want, got Rightness
		for i, id := range ds.ids {
			var one Rightness
			for k, v := range ds.truth[id].Pix {
				p, o := preds[id].Pix[k], other[id].Pix[k]
				if o == data.Ignore {
					o = 0
				}
				if v != data.Ignore {
					one.count(p == v, o == v, 1)
				}
			}
			if d.Images[i].Rightness != one || d.Images[i].ID != id {
				t.Errorf("%s: %+v, want %+v", id, d.Images[i], one)
			}
			want.add(one)
		}
		for _, c := range d.Classes {
			got.add(c)
		}
		if got != want {
			t.Errorf("sum over classes %+v, want %+v", got, want)
		}
		if first == nil {
			first = d
		}
		for c := range d.Classes {
			if d.Classes[c] != first.Classes[c] {
				t.Errorf("class %d differs with %d workers", c, workers)
			}
		}
	}
	better, worse := first.Top(3, false), first.Top(100, true)
	if len(better) != 3 || better[0].OnlyB < better[1].OnlyB || other[better[0].ID] == nil {
		t.Errorf("where b is right: %+v", better)
	}
	if len(worse) != 6 { // the truth itself is never worse
		t.Errorf("%d images where only a is right, want 6", len(worse))
	}

	if err := os.Remove(filepath.Join(b, ds.ids[3]+".png")); err != nil {
		t.Fatal(err)
	}
	delete(ds.truth, ds.ids[4])
	if d, err := Disagree(context.Background(), ds, ds.ids, a, b, 2, nil); err != nil || len(d.Images) != 10 {
		t.Errorf("%v with one map and one truth missing, want 10 images", err)
	}
	writeAll(t, b, map[string]*data.LabelMap{ds.ids[5]: data.NewLabelMap(3, 3)})
	if _, err := Disagree(context.Background(), ds, ds.ids, a, b, 2, nil); err == nil || !strings.Contains(err.Error(), ds.ids[5]) {
		t.Errorf("wrong size: error %v", err)
	}
}
