package scenes

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
)

func small() Config {
	cfg := DefaultConfig()
	cfg.Train, cfg.Val = 12, 4
	return cfg
}

func TestGolden(t *testing.T) {
	// The bytes must not change between machines and releases; where a change
	// of the pictures is meant, raise version and put the new values here.
	for _, tc := range []struct {
		id   string
		want string
	}{
		{"train_000001", "e8aa691db1367818"},
		{"train_000002", "f6d8c100ac272ee1"},
		{"val_000001", "51f4849523144c46"},
	} {
		s := compose(seedFor(1, tc.id), DefaultConfig(), 8)
		h := sha256.New()
		h.Write(s.truth.Pix)
		h.Write(s.image.Pix)
		if got := hex.EncodeToString(h.Sum(nil))[:16]; got != tc.want {
			t.Errorf("%s: hash %s, want %s", tc.id, got, tc.want)
		}
	}
}

func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		sum := sha256.Sum256(raw)
		rel, _ := filepath.Rel(root, path)
		out[filepath.ToSlash(rel)] = hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWriteIsDeterministicAndIndependentOfCount(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := Write(t.Context(), a, small(), nil); err != nil {
		t.Fatal(err)
	}
	first := tree(t, a)
	if err := Write(t.Context(), b, small(), nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, tree(t, b)); diff != "" {
		t.Errorf("two runs differ: %s", diff)
	}
	fewer := small()
	fewer.Train = 5
	if err := Write(t.Context(), b, fewer, nil); err != nil {
		t.Fatal(err)
	}
	second := tree(t, b)
	if _, stale := second["JPEGImages/train_000006.jpg"]; stale {
		t.Error("the larger set's pictures are still there")
	}
	for name, hash := range second {
		if strings.Contains(name, "_0000") && first[name] != hash {
			t.Errorf("%s depends on the number of pictures", name)
		}
	}
}

func TestWriteAgainIsInstantAndRefusesForeignFolders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	calls := 0
	count := func(done, total int) { calls++ }
	if err := Write(t.Context(), dir, small(), count); err != nil {
		t.Fatal(err)
	}
	if calls != 16 {
		t.Errorf("progress called %d times, want 16", calls)
	}
	if err := Write(t.Context(), dir, small(), count); err != nil || calls != 16 {
		t.Errorf("second Write: err %v, %d pictures made", err, calls-16)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(t.Context(), foreign, small(), nil); err == nil || !strings.Contains(err.Error(), "no generated scenes") {
		t.Errorf("foreign folder: error %v", err)
	}
	if _, err := os.Stat(filepath.Join(foreign, "thesis.txt")); err != nil {
		t.Error(err)
	}
}

func TestWriteCancelledLeavesNothing(t *testing.T) {
	parent := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	err := Write(ctx, filepath.Join(parent, "s"), small(), func(done, total int) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want cancelled", err)
	}
	left, err := os.ReadDir(parent)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, tc := range []struct {
		name  string
		extra map[string]any
		want  string
	}{
		{"unknown key", map[string]any{"trian": 3}, "trian"},
		{"no pictures", map[string]any{"train": 0}, "train = 0"},
		{"classes", map[string]any{"classes": 11}, "classes = 11: allowed are 2..10"},
		{"sizes crossed", map[string]any{"min_size": 200, "max_size": 100}, "max_size = 100"},
	} {
		_, err := data.Open("scenes", data.Options{Root: filepath.Join(t.TempDir(), "s"), Seed: 1, Extra: tc.extra})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestDataset(t *testing.T) {
	root := filepath.Join(t.TempDir(), "s")
	ds, err := data.Open("scenes", data.Options{Root: root, Seed: 3, Extra: map[string]any{"train": 10, "val": 2}})
	if err != nil {
		t.Fatal(err)
	}
	if got := ds.Classes().Len(); got != 8 {
		t.Errorf("%d classes, want 8", got)
	}
	if _, err := ds.IDs("test"); !errors.As(err, new(*data.SplitError)) || !strings.Contains(err.Error(), "allowed are train, train_aug, val, trainval") {
		t.Error("split test exists")
	}
	ids, err := ds.IDs("trainval")
	if err != nil || len(ids) != 12 {
		t.Fatalf("ids %v, %v", ids, err)
	}
	for _, id := range ids {
		s, err := ds.Load(id, data.WantAll)
		if err != nil {
			t.Fatal(err)
		}
		if s.Image.Rect.Size() != s.Truth.Size() {
			t.Errorf("%s: image %v, mask %v", id, s.Image.Rect.Size(), s.Truth.Size())
		}
		if err := s.Truth.CheckRange(8); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		checkWeak(t, s)
	}
	if _, err := ds.Load("../x", data.WantImage); err == nil {
		t.Error("an unknown id loads")
	}
}

func checkWeak(t *testing.T, s *data.Sample) {
	t.Helper()
	seen := s.Truth.Present()
	if len(s.Weak.Tags) == 0 || len(s.Weak.Boxes) == 0 || len(s.Weak.Points) != len(s.Weak.Boxes) {
		t.Errorf("%s: %d tags, %d boxes, %d points", s.ID, len(s.Weak.Tags), len(s.Weak.Boxes), len(s.Weak.Points))
	}
	for _, c := range s.Weak.Tags {
		if !seen[c] {
			t.Errorf("%s: tag %d is not in the mask", s.ID, c)
		}
	}
	for _, p := range s.Weak.Points {
		if v := s.Truth.At(p.X, p.Y); int(v) != p.Class {
			t.Errorf("%s: click of class %d on %d", s.ID, p.Class, v)
		}
	}
	background := false
	for _, line := range s.Weak.Scribbles {
		background = background || line.Class == 0
		for _, p := range line.Points {
			if v := s.Truth.At(p.X, p.Y); int(v) != line.Class {
				t.Errorf("%s: scribble of class %d on %d", s.ID, line.Class, v)
			}
		}
	}
	if !background {
		t.Errorf("%s: no background scribble", s.ID)
	}
	// Every class pixel lies in a box of its class.
	for i, v := range s.Truth.Pix {
		if v == 0 || v == data.Ignore {
			continue
		}
		x, y, held := float32(i%s.Truth.W), float32(i/s.Truth.W), false
		for _, b := range s.Weak.Boxes {
			held = held || b.Class == int(v) && b.X0 <= x && x < b.X1 && b.Y0 <= y && y < b.Y1
		}
		if !held {
			t.Fatalf("%s: pixel (%v,%v) of class %d lies in no box", s.ID, x, y, v)
		}
	}
}

func TestStatistics(t *testing.T) {
	const n = 120
	cfg := DefaultConfig()
	cfg.Classes = len(classes)
	var pixels, void, back, objects, hidden, cut, several int
	perClass := make([]int, len(classes)+1)
	for i := range n {
		s := compose(seedFor(1, imageID("train", i)), cfg, len(classes)+1)
		if len(s.occluded) == 0 || len(s.occluded) > maxObjects {
			t.Fatalf("picture %d has %d objects", i, len(s.occluded))
		}
		kinds := 0
		for c, yes := range s.truth.Present() {
			if yes && c > 0 && c != data.Ignore {
				perClass[c]++
				kinds++
			}
		}
		if kinds > 1 {
			several++
		}
		pixels += len(s.truth.Pix)
		void += bytes.Count(s.truth.Pix, []byte{data.Ignore})
		back += bytes.Count(s.truth.Pix, []byte{0})
		objects += len(s.occluded)
		for k := range s.occluded {
			hidden += flag(s.occluded[k])
			cut += flag(s.truncated[k])
		}
	}
	for c := 1; c < len(perClass); c++ {
		if perClass[c] < n/15 {
			t.Errorf("%s is in %d of %d pictures", className(c), perClass[c], n)
		}
	}
	for _, tc := range []struct {
		what   string
		got    float64
		lo, hi float64
	}{
		{"void share", float64(void) / float64(pixels), 0.03, 0.10},
		{"background share", float64(back) / float64(pixels), 0.5, 0.85},
		{"objects per picture", float64(objects) / n, 1.8, 3},
		{"hidden objects", float64(hidden) / float64(objects), 0.08, 0.5},
		{"objects over the border", float64(cut) / float64(objects), 0.08, 0.5},
		{"pictures of several classes", float64(several) / n, 0.5, 0.95},
	} {
		if tc.got < tc.lo || tc.got > tc.hi {
			t.Errorf("%s = %.3f, want %.2f..%.2f", tc.what, tc.got, tc.lo, tc.hi)
		}
		t.Logf("%s = %.3f", tc.what, tc.got)
	}
}

func BenchmarkCompose(b *testing.B) {
	for i := 0; b.Loop(); i++ {
		compose(seedFor(1, imageID("train", i%50)), DefaultConfig(), 8)
	}
}
