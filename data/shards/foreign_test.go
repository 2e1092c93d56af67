package shards_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/shards"
)

// members writes a tar file of names and texts; a text of "photo" and "mask"
// stands for one of 8×6.
func members(t *testing.T, path string, list ...string) {
	t.Helper()
	var photo, mask bytes.Buffer
	m := data.NewLabelMap(8, 6)
	m.Set(3, 3, 2)
	if err := jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 8, 6)), nil); err != nil {
		t.Fatal(err)
	}
	if err := data.EncodeLabelMap(&mask, m); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for i := 0; i < len(list); i += 2 {
		raw := []byte(list[i+1])
		switch list[i+1] {
		case "photo":
			raw = photo.Bytes()
		case "mask":
			raw = mask.Bytes()
		case "folder":
			if err := w.WriteHeader(&tar.Header{Name: list[i], Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := w.WriteHeader(&tar.Header{Name: list[i], Size: int64(len(raw)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		w.Write(raw)
	}
	w.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

var pets = []string{"background", "cat", "dog"}

// TestForeign: tar files that others wrote are read as far as they say something.
func TestForeign(t *testing.T) {
	for name, tc := range map[string]struct {
		tars   map[string][]string
		opts   shards.Options
		splits map[string][]string
		tags   map[string][]int // of ids; nil for none
		truth  []string
	}{
		"img2dataset": {
			tars:   map[string][]string{"00000.tar": {"000000000.jpg", "photo", "000000000.txt", "a cat on a mat", "000000000.json", `{"url":"http://x","caption":"a cat","width":8}`, "000000001.jpg", "photo", "000000001.txt", "Dog", "000000001.json", `{}`}},
			splits: map[string][]string{"all": {"000000000", "000000001"}},
			tags:   map[string][]int{"000000000": nil, "000000001": nil},
		},
		"numbers of classes": {
			tars:   map[string][]string{"train-0.tar": {"a.jpg", "photo", "a.cls", "1\n", "b.JPG", "photo", "b.cls", "0"}, "val-0.tar": {"c.jpeg", "photo", "c.cls", "cat"}},
			splits: map[string][]string{"train": {"a", "b"}, "val": {"c"}},
			tags:   map[string][]int{"a": {2}, "b": {1}, "c": {1}},
		},
		"numbers with the background": {
			tars:   map[string][]string{"x.tar": {"a.jpg", "photo", "a.cls", "1", "b.jpg", "photo", "b.cls", "0"}},
			opts:   shards.Options{First: new(int)},
			splits: map[string][]string{"x": {"a", "b"}},
			tags:   map[string][]int{"a": {1}, "b": {}},
		},
		"names and lists in JSON": {
			tars:   map[string][]string{"x.tar": {"a.jpg", "photo", "a.json", `{"labels":["dog","cat"]}`, "b.jpg", "photo", "b.json", `{"label":1}`, "c.jpg", "photo", "c.txt", "dog\n"}},
			splits: map[string][]string{"x": {"a", "b", "c"}},
			tags:   map[string][]int{"a": {1, 2}, "b": {2}, "c": {2}},
		},
		"folders, dots in folders, and what is no sample": {
			tars:   map[string][]string{"train/000.tar": {"./v1.0/", "folder", "./v1.0/a.jpg", "photo", "./v1.0/a.seg.png", "mask", "v1.0/b.jpg", "photo", "._a.jpg", "x", "README", "x"}},
			splits: map[string][]string{"train": {"v1.0/a", "v1.0/b"}},
			truth:  []string{"v1.0/a"},
		},
		"keys that begin anew": {
			tars:   map[string][]string{"t-0.tar": {"0.jpg", "photo"}, "t-1.tar": {"0.jpg", "photo"}},
			splits: map[string][]string{"t": {"0", "t-1/0"}},
		},
		"a mask that ends like a photo": {
			tars:   map[string][]string{"t.tar": {"0.jpg", "photo", "0.png", "mask"}},
			opts:   shards.Options{Photos: "jpg", Masks: ".png"},
			splits: map[string][]string{"t": {"0"}},
			truth:  []string{"0"},
		},
		"bad samples left out": {
			tars:   map[string][]string{"t.tar": {"0.jpg", "photo", "1.txt", "x", "2.jpg", "photo", "2.png", "mask"}},
			opts:   shards.Options{Dropped: true},
			splits: map[string][]string{"t": {"0"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for file, list := range tc.tars {
				members(t, filepath.Join(root, file), list...)
			}
			tc.opts.Names = pets
			ds, err := shards.Open(root, tc.opts)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]string{}
			for _, split := range ds.Splits() {
				got[split], _ = ds.IDs(split)
			}
			if diff := cmp.Diff(tc.splits, got); diff != "" {
				t.Fatal(diff)
			}
			for _, ids := range got {
				for _, id := range ids {
					s, err := ds.Load(id, data.WantImage|data.WantWeak)
					if err != nil || s.Image.Rect.Dx() != 8 {
						t.Errorf("%s: %v", id, err)
						continue
					}
					if want, ok := tc.tags[id]; ok {
						if diff := cmp.Diff(want, s.Weak.Tags); diff != "" {
							t.Errorf("%s: %s", id, diff)
						}
					}
				}
			}
			for _, id := range tc.truth {
				if s, err := ds.Load(id, data.WantTruth); err != nil || s.Truth.At(3, 3) != 2 {
					t.Errorf("true mask of %s: %v", id, err)
				}
			}
		})
	}
}

// TestForeignErrors: what cannot be read is one error that names the file and
// says what to do.
func TestForeignErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		make func(root string)
		opts shards.Options
		says []string
	}{
		"compressed": {func(root string) { os.WriteFile(filepath.Join(root, "0.tar.gz"), []byte("x"), 0o644) }, shards.Options{Names: pets},
			[]string{"0.tar.gz", "compressed"}},
		"nothing": {func(string) {}, shards.Options{Names: pets}, []string{"wsss data pack", "WebDataset"}},
		"two photos": {func(root string) { members(t, filepath.Join(root, "t.tar"), "a/0.jpg", "photo", "a/0.png", "mask") }, shards.Options{Names: pets},
			[]string{"t.tar", `"a/0"`, "2 photos, .jpg, .png", "data.options.photos", "skip_bad"}},
		"a dot in a name": {func(root string) { members(t, filepath.Join(root, "t.tar"), "img.v2.jpg", "photo") }, shards.Options{Names: pets},
			[]string{`"img"`, "no photo", ".v2.jpg", "first dot"}},
		"two of one name": {func(root string) { members(t, filepath.Join(root, "t.tar"), "0.jpg", "photo", "0.jpg", "photo") }, shards.Options{Names: pets},
			[]string{"t.tar", "two members"}},
		"no classes": {func(root string) { members(t, filepath.Join(root, "t.tar"), "0.jpg", "photo") }, shards.Options{}, []string{"data.options.names", "classes.txt"}},
		"a class too many": {func(root string) { members(t, filepath.Join(root, "t.tar"), "0.jpg", "photo", "0.cls", "2") }, shards.Options{Names: pets},
			[]string{"t.tar", "0.cls", "class number 2", `0..1`, "cat"}},
		"an unknown class": {func(root string) { members(t, filepath.Join(root, "t.tar"), "0.jpg", "photo", "0.cls", "horse") }, shards.Options{Names: pets},
			[]string{"0.cls", `"horse"`}},
		"leaves its folder": {func(root string) { members(t, filepath.Join(root, "t.tar"), "../0.jpg", "photo") }, shards.Options{Names: pets},
			[]string{"t.tar", "../0.jpg", "leaves"}},
		"cut short": {func(root string) {
			path := filepath.Join(root, "t.tar")
			members(t, path, "0.jpg", "photo", "1.jpg", strings.Repeat("x", 5000))
			os.Truncate(path, 3000)
		}, shards.Options{Names: pets}, []string{"t.tar", "cut short"}},
		"numbers that begin at no class": {func(root string) { members(t, filepath.Join(root, "t.tar"), "0.jpg", "photo") }, shards.Options{Names: pets, First: new(3)},
			[]string{"data.options.first_class = 3", "0..2"}},
		"an odd number": {func(string) {}, shards.Options{Together: -1}, []string{"shuffle_mb", "-1"}},
	} {
		root := t.TempDir()
		tc.make(root)
		ds, err := shards.Open(root, tc.opts)
		if err == nil {
			for _, split := range ds.Splits() {
				ids, _ := ds.IDs(split)
				for _, id := range ids {
					if _, e := ds.Load(id, data.WantImage|data.WantWeak); e != nil {
						err = e
					}
				}
			}
		}
		for _, want := range tc.says {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
	}
}

// TestPackedLabels: pseudo-labels in tar files are a folder, as gen writes it.
func TestPackedLabels(t *testing.T) {
	ds, _ := packScenes(t, 0)
	ids, _ := ds.IDs("train")
	labels, out := t.TempDir(), t.TempDir()
	for i, id := range ids[:3] {
		m := data.NewLabelMap(9, 9)
		m.Set(i, 0, 1)
		if err := data.WriteLabelMap(filepath.Join(labels, id+".png"), m); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(labels, id+".json"), fmt.Append(nil, i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, wrong := range []string{t.TempDir(), filepath.Join(labels, "none")} {
		if _, err := shards.Pack(t.Context(), shards.PackOptions{Dataset: ds, Splits: []string{"train"}, Out: out, Labels: wrong}); err == nil || !strings.Contains(err.Error(), wrong+" has no label map of the images, 7 in all") {
			t.Errorf("labels of %s: %v", wrong, err)
		}
	}
	if _, err := shards.Pack(t.Context(), shards.PackOptions{Dataset: ds, Splits: []string{"train"}, Out: out, Labels: labels}); err != nil {
		t.Fatal(err)
	}
	packed, err := shards.Open(out, shards.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := packed.LabelsDir()
	if info, err := files.Stat(dir); err != nil || !info.IsDir() {
		t.Fatal(err)
	}
	for i, id := range ids[:4] {
		m, err := data.ReadLabelMap(filepath.Join(dir, id+".png"))
		if i == 3 {
			if !os.IsNotExist(err) {
				t.Errorf("%s was not packed: %v", id, err)
			}
			continue
		}
		if err != nil || m.At(i, 0) != 1 {
			t.Errorf("%s: %v", id, err)
		}
		if raw, err := files.ReadFile(filepath.Join(dir, id+".json")); err != nil || string(raw) != fmt.Sprint(i) {
			t.Errorf("%s: %q %v", id, raw, err)
		}
	}
	if _, err := files.Stat(filepath.Join(dir, "..", "etc")); err == nil {
		t.Error("outside of the folder")
	}
}
