package convert

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/datatest"
	"wsss/data/folder"
)

// folderOf writes photos with masks of class 1 in one corner, the last without
// a mask, and opens them.
func folderOf(t *testing.T, ids ...string) (*folder.Dataset, string) {
	t.Helper()
	dir := t.TempDir()
	for i, id := range ids {
		m := data.NewLabelMap(40, 30)
		for y := range 20 {
			for x := range 20 {
				m.Set(x, y, 1)
			}
		}
		photo := filepath.Join(dir, "images", id+".png")
		if err := data.WriteLabelMap(photo, m); err != nil { // a palette PNG is a photo, too
			t.Fatal(err)
		}
		if i == len(ids)-1 {
			continue
		}
		if err := data.WriteLabelMap(filepath.Join(dir, "masks", id+".png"), m); err != nil {
			t.Fatal(err)
		}
	}
	datatest.Write(t, filepath.Join(dir, "classes.txt"), "background\nbolt\n")
	ds, err := folder.Open(dir, folder.Options{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return ds, dir
}

// TestJob: each image is written once, one without any label is left out and
// counted.
func TestJob(t *testing.T) {
	ds, _ := folderOf(t, "a", "b", "c")
	out := t.TempDir()
	got, err := Job{Dataset: ds, Splits: []string{folder.SplitAll, folder.SplitAll}, Formats: []string{"coco", "csv"}, Dir: out}.Run(t.Context(), func(int, int) {})
	if err != nil || got != (Result{Written: 2, Unlabelled: 1}) {
		t.Fatalf("%+v, %v", got, err)
	}
	raw, err := os.ReadFile(filepath.Join(out, "coco.json"))
	if err != nil || strings.Count(string(raw), `"file_name"`) != 2 {
		t.Errorf("coco.json: %s, %v", raw, err)
	}
}

// TestWeaken: labels that differ are kept, the same are written again, and an
// image without a mask gets none.
func TestWeaken(t *testing.T) {
	ds, _ := folderOf(t, "a", "b", "c")
	masks, err := MasksOf(ds, []string{folder.SplitAll})
	if err != nil {
		t.Fatal(err)
	}
	w := NewWeaken()
	w.Kinds, w.Dir = data.WeakKinds[1:], filepath.Join(t.TempDir(), "weak")
	draw := func() ([]string, error) {
		records, err := w.Draw(t.Context(), masks, func(int, int) {})
		if err != nil || len(records) != 2 || records[0].ID != "a" {
			t.Fatalf("%+v, %v", records, err)
		}
		return w.Write(records, masks.Classes)
	}
	for range 2 {
		written, err := draw()
		if err != nil || !slices.Contains(written, filepath.Join(w.Dir, "points.csv")) {
			t.Fatalf("%q, %v", written, err)
		}
	}
	w.Seed = 7
	var other *OtherLabelsError
	if _, err := draw(); !errors.As(err, &other) || !strings.Contains(other.Path, w.Dir) {
		t.Errorf("other labels: %v", err)
	}
	w.Replace = true
	if _, err := draw(); err != nil {
		t.Error(err)
	}
}
