package eval

import (
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/checkpoints/files"
	"wsss/data"
)

// photos is a dataset in memory whose pictures are also files, as hashes of
// photos need them.
type photos struct {
	*memory
	dir   string
	names []string
}

func (d *photos) ImagePath(id string) string { return filepath.Join(d.dir, id+".png") }
func (d *photos) Classes() data.Classes      { return data.Classes{Names: d.names} }
func (d *photos) Load(id string, want data.Want) (*data.Sample, error) {
	s, err := d.memory.Load(id, want&^data.WantImage)
	if err == nil && want&data.WantImage != 0 {
		s.Image, err = data.ReadImage(d.ImagePath(id))
	}
	return s, err
}

func newPhotos(t *testing.T, n int) *photos {
	t.Helper()
	ds, _ := sample(n, 16, 12, 3)
	d := &photos{ds, t.TempDir(), slices.Clone(ds.Classes().Names)}
	for _, id := range ds.ids {
		s, err := ds.Load(id, data.WantImage)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(d.ImagePath(id))
		if err := errors.Join(err, png.Encode(f, s.Image), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// repaint changes one pixel of a photo.
func (d *photos) repaint(t *testing.T, id string) {
	t.Helper()
	img, err := data.ReadImage(d.ImagePath(id))
	if err != nil {
		t.Fatal(err)
	}
	img.Pix[0] ^= 1
	f, err := os.Create(d.ImagePath(id))
	if err := errors.Join(err, png.Encode(f, img), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// Predictions are made again for what changed, and for nothing else; true masks
// are read anew in any case.
func TestPredictNoticesChanges(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, d *photos, dir string)
		made   int64
		says   string
	}{
		{"nothing", func(*testing.T, *photos, string) {}, 0, ""},
		{"a photo replaced", func(t *testing.T, d *photos, _ string) { d.repaint(t, d.ids[1]) }, 1, "1 of 6 labelled again: 1 photo replaced"},
		{"two photos exchanged", func(t *testing.T, d *photos, _ string) {
			a, b := d.ImagePath(d.ids[0]), d.ImagePath(d.ids[1])
			if err := errors.Join(os.Rename(a, a+"x"), os.Rename(b, a), os.Rename(a+"x", b)); err != nil {
				t.Fatal(err)
			}
			d.truth[d.ids[0]], d.truth[d.ids[1]] = d.truth[d.ids[1]], d.truth[d.ids[0]]
		}, 2, "2 photos replaced"},
		{"a class renamed", func(_ *testing.T, d *photos, _ string) { d.names[1] = "other" }, 6, "6 of another class table"},
		{"a true mask edited", func(_ *testing.T, d *photos, _ string) { d.truth[d.ids[2]].Pix[3] = 2 }, 0, ""},
		{"an image deleted", func(t *testing.T, d *photos, _ string) {
			if err := os.Remove(d.ImagePath(d.ids[5])); err != nil {
				t.Fatal(err)
			}
			d.ids = d.ids[:5]
		}, 0, "1 image is gone"},
		{"an image in another split now", func(_ *testing.T, d *photos, _ string) { d.ids = d.ids[:5] }, 0, ""},
		{"a prediction cut short", func(t *testing.T, d *photos, dir string) {
			if err := os.Truncate(filepath.Join(dir, d.ids[3]+".png"), 40); err != nil {
				t.Fatal(err)
			}
		}, 1, ""},
		{"of an earlier version", func(t *testing.T, _ *photos, dir string) {
			raw, _ := json.Marshal(map[string]string{"hash": "abc", "name": "net"})
			if err := os.WriteFile(filepath.Join(dir, RunFile), raw, 0o644); err != nil {
				t.Fatal(err)
			}
		}, 0, "earlier version"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, dir := newPhotos(t, 6), t.TempDir()
			var said []string
			opts := Options{Name: "net", RunHash: "abc", Hashes: files.OpenHashes(filepath.Join(dir, files.HashesName)), Log: func(line string) { said = append(said, line) }}
			if _, err := Predict(context.Background(), d, "val", &copier{}, dir, opts, nil); err != nil {
				t.Fatal(err)
			}
			tt.change(t, d, dir)
			said = nil
			p := &copier{}
			r, err := Predict(context.Background(), d, "val", p, dir, opts, nil)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(said, "\n")
			if p.calls.Load() != tt.made || !strings.Contains(text, tt.says) || (tt.says == "") != (text == "") {
				t.Errorf("%d predicted, said %q; want %d and %q", p.calls.Load(), text, tt.made, tt.says)
			}
			fresh, err := Predict(context.Background(), d, "val", &copier{}, t.TempDir(), opts, nil)
			if err != nil || fresh.MIoU != r.MIoU {
				t.Errorf("mIoU %v, of predictions that are all new %v (%v)", r.MIoU, fresh.MIoU, err)
			}
			if tt.name == "an image deleted" {
				if left, _ := filepath.Glob(filepath.Join(dir, "*.png")); len(left) != 5 {
					t.Errorf("predictions left: %v", left)
				}
			}
			said = nil
			p = &copier{}
			if _, err := Predict(context.Background(), d, "val", p, dir, opts, nil); err != nil || p.calls.Load() != 0 || len(said) > 0 {
				t.Errorf("a third run predicted %d images and said %q (%v)", p.calls.Load(), said, err)
			}
		})
	}
}
