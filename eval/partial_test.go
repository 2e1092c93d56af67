package eval

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"wsss/data/datatest"
)

// everyNth is part i of n of ids, as a shard is.
func everyNth(ids []string, i, n int) []string {
	out := []string{}
	for k := i; k < len(ids); k += n {
		out = append(out, ids[k])
	}
	return out
}

// TestMergeEqualsWhole: scores of parts add up to those of one process, to the
// last digit, of folders and of predictions, with images that have no truth and
// parts without images.
func TestMergeEqualsWhole(t *testing.T) {
	ds, preds := sample(11, 40, 30, 4)
	ds.truth[ds.ids[3]] = nil
	dir := t.TempDir()
	writeAll(t, dir, preds)
	same := func(t *testing.T, got, want *Result) {
		t.Helper()
		got.Seconds, want.Seconds, got.PerSecond, want.PerSecond = 0, 0, 0, 0
		if a, b := asJSON(t, want), asJSON(t, got); a != b {
			t.Errorf("merged: %.300s\nwhole: %.300s", b, a)
		}
	}
	opts := Options{Name: "x", Kind: KindPseudo, Boundary: true, AllowNoTruth: true, Workers: 2, RunHash: "h"}
	whole, err := Folder(t.Context(), ds, "val", dir, opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := &copier{}
	predicted, err := Predict(t.Context(), ds, "val", first, filepath.Join(t.TempDir(), "p"), opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 3, 13} {
		out := filepath.Join(t.TempDir(), "pred")
		var parts, predictions []*Partial
		for i := range n {
			o := opts
			o.IDs = everyNth(ds.ids, i, n)
			for _, list := range []*[]*Partial{&parts, &predictions} {
				o.Partial = &Partial{Index: i, Count: n, IDs: o.IDs}
				var err error
				if list == &parts {
					_, err = Folder(t.Context(), ds, "val", dir, o, nil)
				} else {
					_, err = Predict(t.Context(), ds, "val", &copier{}, out, o, nil)
				}
				if err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(t.TempDir(), "part.json")
				if err := o.Partial.Write(path); err != nil {
					t.Fatal(err)
				}
				read, err := ReadPartial(path)
				if err != nil {
					t.Fatal(err)
				}
				*list = append(*list, read)
			}
		}
		got, err := Merge(ds, "val", dir, ds.ids, parts, opts)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, whole)
		if err := MergeRunFiles(out, predictions); err != nil {
			t.Fatal(err)
		}
		if got, err = Merge(ds, "val", out, ds.ids, predictions, opts); err != nil {
			t.Fatal(err)
		}
		same(t, got, predicted)
		// What the parts have predicted is taken up by one process.
		again := &copier{}
		if got, err = Predict(t.Context(), ds, "val", again, out, opts, nil); err != nil || again.calls.Load() != 0 {
			t.Errorf("%d parts: %v, %d predictions made again", n, err, again.calls.Load())
		}
		same(t, got, predicted)
	}
}

func TestMergeRefuses(t *testing.T) {
	ds, preds := sample(4, 20, 20, 3)
	dir := t.TempDir()
	writeAll(t, dir, preds)
	part := func(i int, ids ...string) *Partial {
		p := &Partial{Index: i, Count: 2, IDs: ids}
		if _, err := Folder(t.Context(), ds, "val", dir, Options{IDs: ids, Partial: p}, nil); err != nil {
			t.Fatal(err)
		}
		return p
	}
	all := ds.ids
	for name, tc := range map[string]struct {
		parts []*Partial
		opts  Options
		says  string
	}{
		"an image in two parts": {[]*Partial{part(0, all[0], all[1]), part(1, all[1], all[2], all[3])}, Options{}, all[1]},
		"an image in none":      {[]*Partial{part(0, all[0], all[1]), part(1, all[2])}, Options{}, all[3]},
		"without boundaries":    {[]*Partial{part(0, all...)}, Options{Boundary: true}, "eval.boundary"},
	} {
		if _, err := Merge(ds, "val", dir, all, tc.parts, tc.opts); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := filepath.Join(dir, "bad.json")
	for _, text := range []string{"{", "{}", `{"total":{"classes":3,"cells":[1]}}`, `{"total":{"classes":-1}}`} {
		datatest.Write(t, bad, text)
		if _, err := ReadPartial(bad); err == nil || !strings.Contains(err.Error(), "bad.json") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
