package folder

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
	"wsss/data/annotation"
	"wsss/data/annotation/annotationtest"
)

// Every layout of every tool gives the same labels, the same truth where it
// has outlines, and its own division into training and validation.
func TestLayouts(t *testing.T) {
	photos := annotationtest.Photos(6)
	want := func(id string) annotationtest.Photo {
		for _, p := range photos {
			if strings.HasSuffix(id, p.Name) {
				return p
			}
		}
		t.Fatalf("id %q is of no photo", id)
		return annotationtest.Photo{}
	}
	for _, layout := range annotationtest.Layouts {
		t.Run(layout.Name, func(t *testing.T) {
			root := t.TempDir()
			layout.Write(annotationtest.NewWriter(t, root), photos)
			d, err := Open(root, Options{}, 1)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"background", "bolt", "nut"}, d.Classes().Names); diff != "" {
				t.Fatalf("classes differ:\n%s", diff)
			}
			set := d.Annotations()
			if own := layout.Format == "csv" || layout.Format == "json"; own != (set == nil) || set != nil && set.Format != layout.Format {
				t.Errorf("read as %+v, want format %s", set, layout.Format)
			}
			ids, err := d.IDs("all")
			if err != nil || len(ids) != len(photos) {
				t.Fatalf("images %v, error %v", ids, err)
			}
			for _, id := range ids {
				p := want(id)
				s, err := d.Load(id, data.WantWeak)
				if err != nil {
					t.Fatal(err)
				}
				boxes := []data.Box{}
				for _, o := range p.Objects {
					boxes = append(boxes, data.Box{X0: float32(o.X0), Y0: float32(o.Y0), X1: float32(o.X1), Y1: float32(o.Y1), Class: d.Classes().Index(o.Class)})
				}
				if diff := cmp.Diff(boxes, s.Weak.Boxes); diff != "" {
					t.Errorf("%s: boxes differ:\n%s", id, diff)
				}
				s, err = d.Load(id, data.WantTruth)
				switch {
				case !layout.Outlines:
					if !errors.Is(err, data.ErrNoTruth) {
						t.Errorf("%s: truth of boxes: error %v", id, err)
					}
				case err != nil:
					t.Errorf("%s: %v", id, err)
				default:
					if diff := cmp.Diff(p.Label(d.Classes().Names), s.Truth); diff != "" {
						t.Errorf("%s: truth differs", id)
					}
				}
			}
			if train, err := d.IDs("train"); layout.Split && (err != nil || len(train) != 4) {
				t.Errorf("train %v, error %v", train, err)
			}
			if val, err := d.IDs("val"); layout.Split && (err != nil || len(val) != 2) {
				t.Errorf("val %v, error %v", val, err)
			}
		})
	}
}

// Boxes and outlines, with splits and without, written in every format, are
// read back to the same labels.
func TestWriters(t *testing.T) {
	photos := annotationtest.Photos(4)
	for _, layout := range annotationtest.Layouts {
		if !slices.Contains([]string{"yolo-roboflow", "coco-cvat", "labelme-polygons", "labelstudio-boxes"}, layout.Name) {
			continue
		}
		from := t.TempDir()
		layout.Write(annotationtest.NewWriter(t, from), photos)
		d, err := Open(from, Options{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, format := range annotation.WriterNames() {
			t.Run(layout.Name+" as "+format, func(t *testing.T) {
				dir := t.TempDir()
				for _, id := range d.splits[SplitAll] {
					raw, err := os.ReadFile(d.ImagePath(id))
					if err != nil {
						t.Fatal(err)
					}
					annotationtest.NewWriter(t, dir).Text("images/"+id+".png", string(raw))
				}
				w, err := annotation.Create(format, annotation.Target{
					Dir: dir, Classes: d.Classes(), FileName: func(id string) string { return id + ".png" },
				})
				if err != nil {
					t.Fatal(err)
				}
				for _, im := range d.Annotations().Images {
					if err := w.Add(im); err != nil {
						t.Fatal(err)
					}
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				back, err := Open(dir, Options{}, 1)
				if err != nil {
					t.Fatal(err)
				}
				outlines := layout.Outlines && format != "voc" && format != "csv" && format != "json"
				sameLabels(t, d, back, outlines)
			})
		}
	}
}

// sameLabels compares two folders of the same photos.
func sameLabels(t *testing.T, want, got *Dataset, outlines bool) {
	t.Helper()
	if diff := cmp.Diff(want.Classes(), got.Classes()); diff != "" {
		t.Errorf("classes differ:\n%s", diff)
	}
	for _, id := range want.splits[SplitAll] {
		a, err := want.Load(id, data.WantWeak)
		if err != nil {
			t.Fatal(err)
		}
		b, err := got.Load(id, data.WantWeak)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a.Weak.Boxes, b.Weak.Boxes); diff != "" {
			t.Errorf("%s: boxes differ:\n%s", id, diff)
		}
		if !outlines {
			continue
		}
		a, err = want.Load(id, data.WantTruth)
		if err != nil {
			t.Fatal(err)
		}
		b, err = got.Load(id, data.WantTruth)
		if diff := cmp.Diff(a.Truth, b.Truth); err != nil || diff != "" {
			t.Errorf("%s: masks differ, error %v", id, err)
		}
	}
}
