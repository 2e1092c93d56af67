package review

import (
	"context"
	"image"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/annotation"
	"wsss/data/corrections"
	"wsss/data/datatest"
)

// TestRoundTrip: labels go to each tool's format and come back; only what was
// changed there is corrected.
func TestRoundTrip(t *testing.T) {
	ids := []string{"a", "kitchen/b", "c", "d"}
	for _, format := range TripFormats {
		t.Run(format, func(t *testing.T) {
			ds := newData(t, ids, 120, 90, true, "red", "blue")
			labels := t.TempDir()
			square := func(r image.Rectangle, v uint8) *data.LabelMap {
				m := data.NewLabelMap(120, 90)
				for y := r.Min.Y; y < r.Max.Y; y++ {
					for x := r.Min.X; x < r.Max.X; x++ {
						m.Set(x, y, v)
					}
				}
				return m
			}
			for _, id := range ids {
				if err := data.WriteLabelMap(filepath.Join(labels, id+".png"), square(image.Rect(30, 22, 60, 45), 1)); err != nil {
					t.Fatal(err)
				}
			}
			trip := &Trip{Dataset: ds, LabelsDir: labels, Kept: filepath.Join(t.TempDir(), "exported")}
			ctx := context.Background()
			out := filepath.Join(t.TempDir(), "out")
			if err := trip.Export(ctx, out, format, ids); err != nil {
				t.Fatal(err)
			}
			if got := listFiles(t, filepath.Join(out, "images")); got != "a.jpg c.jpg d.jpg kitchen/b.jpg" {
				t.Errorf("photos %q", got)
			}
			// Unchanged, nothing is corrected.
			in, err := trip.Import(ctx, out, "")
			if err != nil || len(in.Changed) != 0 || in.Same != 4 {
				t.Fatalf("unchanged: %+v, %v", in, err)
			}
			// The tool's own file, with another class, a moved border, one image of
			// four left out, and one untouched.
			back := t.TempDir()
			w, err := annotation.Create(format, annotation.Target{Dir: back, Classes: ds.Classes()})
			if err != nil {
				t.Fatal(err)
			}
			changed := square(image.Rect(30, 22, 60, 45), 1)
			for y := 60; y < 80; y++ {
				for x := 70; x < 100; x++ {
					changed.Set(x, y, 2)
				}
			}
			for _, im := range []*annotation.Image{
				annotation.FromLabelMap("a", changed, 0, 0),
				annotation.FromLabelMap("kitchen/b", square(image.Rect(30, 22, 61, 45), 1), 0, 0),
				annotation.FromLabelMap("c", square(image.Rect(30, 22, 60, 45), 1), 0, 0),
			} {
				if err := w.Add(im); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			in, err = trip.Import(ctx, back, "")
			if err != nil || !slices.Equal(in.Changed, []string{"a"}) || in.Same != 2 || in.Missing != 1 || in.NewPixels != 600 || in.Rounded != 23 {
				t.Fatalf("changed: %+v, %v", in, err)
			}
			c := read(t, ds, "a")
			if len(c.Painted) != 1 || c.Painted[0].Class != 2 || c.Painted[0].Bits.Area() != 600 {
				t.Errorf("painted: %+v", c.Painted)
			}
			if got := listFiles(t, ds.Folder.Dir); got != "a.correction.json" {
				t.Errorf("files %q", got)
			}
			if err := trip.Export(ctx, out, format, ids); err == nil || !strings.Contains(err.Error(), "not empty") {
				t.Errorf("into a folder that is not empty: %v", err)
			}
		})
	}
	if _, err := (&Trip{Kept: t.TempDir()}).Import(context.Background(), "x", ""); err == nil || !strings.Contains(err.Error(), "nothing was exported") {
		t.Errorf("import without export: %v", err)
	}
}

func TestOrder(t *testing.T) {
	ds := newData(t, []string{"common", "doubtful", "judged", "rare", "unlabelled"}, 40, 30, true, "red", "blue")
	labels := t.TempDir()
	for id, class := range map[string]uint8{"common": 1, "doubtful": 1, "judged": 1, "rare": 2} {
		m := data.NewLabelMap(40, 30)
		m.Set(3, 3, class)
		if err := data.WriteLabelMap(filepath.Join(labels, id+".png"), m); err != nil {
			t.Fatal(err)
		}
	}
	sidecar := func(id, score string) {
		datatest.Write(t, filepath.Join(labels, id+".json"), `{"id":"`+id+`","width":40,"height":30,"quality":{"score":`+score+`,"confidence":`+score+`},"masks":[]}`)
	}
	sidecar("common", "0.9")
	sidecar("doubtful", "0.2")
	sidecar("judged", "0.1")
	sidecar("rare", "0.8")
	if _, _, err := ds.Folder.Update(context.Background(), "judged", 40, 30, nil, func(c *corrections.Correction) error { c.Verdict = corrections.Rejected; return nil }); err != nil {
		t.Fatal(err)
	}
	items, err := Order(context.Background(), Evidence{Dataset: ds, IDs: []string{"common", "doubtful", "judged", "rare", "unlabelled"}, LabelsDir: labels, ClassIoU: []float64{.9, .8, .1}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, it := range items {
		got = append(got, it.ID)
	}
	if want := []string{"rare", "unlabelled", "doubtful", "common", "judged"}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v: %+v", got, want, items)
	}
	if !strings.Contains(items[0].Why, "blue is rare") || !strings.Contains(items[2].Why, "unsure") || items[1].Why != "no label yet" {
		t.Errorf("reasons: %+v", items)
	}
}
