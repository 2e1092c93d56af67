package shards_test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/scenes"
	"wsss/data/shards"
)

func packScenes(t *testing.T, size int64) (data.Dataset, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "scenes")
	cfg := scenes.DefaultConfig()
	cfg.Train, cfg.Val, cfg.MinSize, cfg.MaxSize = 7, 3, 48, 64
	if err := scenes.Write(t.Context(), root, cfg, nil); err != nil {
		t.Fatal(err)
	}
	ds, err := scenes.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if _, err := shards.Pack(t.Context(), shards.PackOptions{Dataset: ds, Splits: []string{"train", "val"}, Out: out, Size: size}); err != nil {
		t.Fatal(err)
	}
	return ds, out
}

// TestPackKeepsAll: photos, masks, weak labels, classes and order are those of
// the dataset that was packed, by its index and without.
func TestPackKeepsAll(t *testing.T) {
	want, out := packScenes(t, 4000)
	tars, _ := filepath.Glob(filepath.Join(out, "train-*.tar"))
	if len(tars) < 2 {
		t.Errorf("%d tar files, want several", len(tars))
	}
	for _, indexed := range []bool{true, false} {
		if !indexed { // read by another name, so that it is opened anew
			moved := t.TempDir()
			if err := os.CopyFS(filepath.Join(moved, "x"), os.DirFS(out)); err != nil {
				t.Fatal(err)
			}
			out = filepath.Join(moved, "x")
			idx, _ := filepath.Glob(filepath.Join(out, "*.idx"))
			for _, name := range idx {
				os.Remove(name)
			}
		}
		got, err := shards.Open(out, shards.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Classes().Names, got.Classes().Names); diff != "" {
			t.Error(diff)
		}
		for _, split := range []string{"train", "val"} {
			a, _ := want.IDs(split)
			b, err := got.IDs(split)
			if diff := cmp.Diff(a, b); diff != "" || err != nil {
				t.Fatal(diff, err)
			}
			for _, id := range a {
				x, err1 := want.Load(id, data.WantAll)
				y, err2 := got.Load(id, data.WantAll)
				if err := errors.Join(err1, err2); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(x, y); diff != "" {
					t.Errorf("%s: %s", id, diff)
				}
			}
		}
	}
}

// TestLayout: WebDataset's readers group files by their names up to the first
// dot, in the order of the tar.
func TestLayout(t *testing.T) {
	_, out := packScenes(t, 0)
	f, err := os.Open(filepath.Join(out, "train-000000.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := tar.NewReader(f)
	var keys, ends []string
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		key, end, _ := strings.Cut(h.Name, ".")
		if len(keys) == 0 || keys[len(keys)-1] != key {
			keys, ends = append(keys, key), append(ends, "")
		}
		ends[len(ends)-1] += end + " "
	}
	if len(keys) != 7 {
		t.Errorf("samples %v", keys)
	}
	for _, e := range ends {
		if e != "jpg mask.png weak.json " {
			t.Errorf("a sample of %s", e)
		}
	}
}

// TestOptionsOfOthers: keys for tar files of other tools are refused where nothing
// would heed them.
func TestOptionsOfOthers(t *testing.T) {
	_, out := packScenes(t, 0)
	d, err := shards.Open(out, shards.Options{Together: 64})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shards.Open(out, shards.Options{Names: d.Classes().Names}); err != nil {
		t.Errorf("the names that it has: %v", err)
	}
	for key, o := range map[string]shards.Options{
		"names": {Names: []string{"background", "other"}}, "first_class": {First: new(0)}, "photos": {Photos: "jpg"}, "masks": {Masks: "seg.png"}, "skip_bad": {Dropped: true},
	} {
		if _, err := shards.Open(out, o); err == nil || !strings.Contains(err.Error(), "data.options."+key+" ") || !strings.Contains(err.Error(), shards.ManifestName) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestDamaged: each is an error that names the file.
func TestDamaged(t *testing.T) {
	for name, tc := range map[string]struct {
		harm func(out string) error
		says string
	}{
		"cut short, indexed": {func(out string) error {
			info, err := os.Stat(filepath.Join(out, "train-000000.tar"))
			return errors.Join(err, os.Truncate(filepath.Join(out, "train-000000.tar"), info.Size()/2))
		}, "train-000000.tar"},
		"no tar file": {func(out string) error { return os.Remove(filepath.Join(out, "train-000000.tar")) }, "train-000000.tar"},
		"no manifest": {func(out string) error { return os.Remove(filepath.Join(out, shards.ManifestName)) }, "wsss data pack"},
		"a foreign path": {func(out string) error {
			return os.WriteFile(filepath.Join(out, shards.ManifestName), []byte(`{"classes":["background","a"],"splits":{"train":[{"file":"../x.tar","ids":["a"]}]}}`), 0o644)
		}, "x.tar"},
		"an index that lies": {func(out string) error {
			info, err := os.Stat(filepath.Join(out, "train-000000.tar"))
			text := strings.ReplaceAll(`{"bytes":N,"entries":[{"name":"train_000001.jpg","offset":100,"size":N}]}`, "N", fmt.Sprint(info.Size()))
			return errors.Join(err, os.WriteFile(filepath.Join(out, "train-000000.tar.idx"), []byte(text), 0o644))
		}, "behind the end"},
	} {
		_, out := packScenes(t, 0)
		if err := tc.harm(out); err != nil {
			t.Fatal(err)
		}
		d, err := shards.Open(out, shards.Options{})
		if err == nil {
			ids, _ := d.IDs("train")
			for _, id := range ids {
				if _, e := d.Load(id, data.WantAll); e != nil {
					err = e
				}
			}
		}
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
	}
}

// TestCutShortMeanwhile: a tar file that becomes shorter while it is read gives an error
// for the members that it lacks, however they are read, and never a part of them.
func TestCutShortMeanwhile(t *testing.T) {
	_, out := packScenes(t, 0)
	d, err := shards.Open(out, shards.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := d.IDs("train")
	if err != nil {
		t.Fatal(err)
	}
	photo := d.ImagePath(ids[len(ids)-1])
	ways := map[string]func() error{
		"hash":  func() error { _, err := files.SHA256(photo); return err },
		"whole": func() error { _, err := files.ReadLimited(photo, 1<<20); return err },
		"file": func() error {
			f, _, err := files.OpenRegular(photo)
			if err == nil {
				f.Close()
			}
			return err
		},
	}
	for name, read := range ways {
		if err := read(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if _, err := files.ReadLimited(photo, 10); err == nil || !strings.Contains(err.Error(), "at most 10") {
		t.Errorf("a limit of 10 bytes: %v", err)
	}
	whole, err := files.SHA256(photo)
	raw, err2 := files.ReadLimited(photo, 1<<20)
	if errors.Join(err, err2) != nil || files.SHA256Of(raw) != whole {
		t.Errorf("%d bytes, of another hash: %v, %v", len(raw), err, err2)
	}
	archive := filepath.Join(out, "train-000000.tar")
	info, err := os.Stat(archive)
	if err == nil {
		err = os.Truncate(archive, info.Size()/2)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, read := range ways {
		if err := read(); err == nil || !strings.Contains(err.Error(), "cut short") || !strings.Contains(err.Error(), "train-000000.tar") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
