package gen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wsss/configs"
	"wsss/data"
)

// fakeSet is a dataset of n small images whose ids sort as they are listed.
type fakeSet struct {
	n       int
	ids     []string // instead of n
	loading atomic.Int32
	most    atomic.Int32 // images in memory at a time
}

func (d *fakeSet) Name() string { return "fake" }
func (d *fakeSet) Classes() data.Classes {
	return data.Classes{Names: []string{"background", "a", "b"}}
}
func (d *fakeSet) Splits() []string           { return []string{"train"} }
func (d *fakeSet) ImagePath(id string) string { return id }
func (d *fakeSet) IDs(split string) ([]string, error) {
	if d.ids != nil {
		return d.ids, nil
	}
	ids := make([]string, d.n)
	for i := range ids {
		ids[i] = fmt.Sprintf("im%03d", i)
	}
	return ids, nil
}

func (d *fakeSet) Load(id string, want data.Want) (*data.Sample, error) {
	now := d.loading.Add(1)
	for {
		if most := d.most.Load(); now <= most || d.most.CompareAndSwap(most, now) {
			break
		}
	}
	return &data.Sample{ID: id, Image: image.NewNRGBA(image.Rect(0, 0, 20, 12))}, nil
}

// fakeMethod makes one mask whose place depends on the id alone.
type fakeMethod struct {
	set   *fakeSet
	delay time.Duration
	fail  map[string]error // "panic" makes it panic
	calls atomic.Int32

	before func() // called first; may be nil
}

var errFake = errors.New("no mask today")

func (m *fakeMethod) Generate(ctx context.Context, s *data.Sample) ([]Mask, error) {
	m.calls.Add(1)
	if m.before != nil {
		m.before()
	}
	if m.set != nil {
		defer m.set.loading.Add(-1)
	}
	if m.delay > 0 {
		time.Sleep(m.delay)
	}
	if err := m.fail[s.ID]; err != nil {
		if err.Error() == "panic" {
			panic("method broke")
		}
		return nil, err
	}
	pix := make([]uint8, 20*12)
	seed := 7
	for _, c := range s.ID {
		seed = seed*31 + int(c)
	}
	for i := range pix {
		if (seed+i)%5 < 2 {
			pix[i] = 1
		}
	}
	return []Mask{{Class: 1 + seed%2, Bits: data.EncodeRLE(pix, 20, 12), Score: 0.5, From: Prompt{Source: "test"}, Note: "made up"}}, nil
}

func fakeRun(dir string, n int) (RunOptions, *fakeMethod) {
	set := &fakeSet{n: n}
	m := &fakeMethod{set: set}
	return RunOptions{
		Dataset: set, Split: "train", Method: m, Name: "fake", Weak: data.WeakNone,
		Fuse: configs.Fuse{Rule: "score"}, OutDir: dir, ConfigHash: "h1", Workers: 2,
	}, m
}

// contents reads a folder's label files, without the claims.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == ".claims" {
			return err
		}
		raw, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		got[rel] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// undisturbed is what one plain run over n images writes.
func undisturbed(t *testing.T, n int) map[string]string {
	t.Helper()
	o, _ := fakeRun(t.TempDir(), n)
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return contents(t, o.OutDir)
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
		t.Fatalf("files %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s differs from the undisturbed run's", name)
		}
	}
}

func TestRunWritesLabelsAndSidecars(t *testing.T) {
	o, _ := fakeRun(t.TempDir(), 5)
	var steps []string
	o.Progress = func(done, total int) { steps = append(steps, fmt.Sprintf("%d/%d", done, total)) }
	sum, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Images != 5 || sum.Generated != 5 || sum.Masks != 5 || sum.Noted != 5 || sum.Skipped+sum.Failed+sum.Empty != 0 {
		t.Errorf("summary %+v", sum)
	}
	if want := "1/5 2/5 3/5 4/5 5/5"; strings.Join(steps, " ") != want {
		t.Errorf("progress %v, want %s", steps, want)
	}
	side, err := ReadSidecar(filepath.Join(o.OutDir, "im003.json"))
	if err != nil {
		t.Fatal(err)
	}
	label, err := data.ReadLabelMap(filepath.Join(o.OutDir, "im003.png"))
	if err != nil {
		t.Fatal(err)
	}
	m := side.Masks[0]
	if side.Width != 20 || side.Height != 12 || side.Method != "fake" || side.ConfigHash != "h1" || m.Name != o.Dataset.Classes().Name(m.Class) {
		t.Errorf("sidecar %+v", side)
	}
	for i, v := range m.Bits.Decode() {
		if (v == 1) != (int(label.Pix[i]) == m.Class) {
			t.Fatalf("pixel %d: mask %d, label %d", i, v, label.Pix[i])
		}
	}
	man, err := ReadManifest(o.OutDir)
	if err != nil || man.Images != 5 || man.Dataset != "fake" || len(man.Classes) != 3 {
		t.Errorf("manifest %+v, %v", man, err)
	}
}

func TestRunBytesDoNotDependOnHowItRan(t *testing.T) {
	const n = 23
	want := undisturbed(t, n)
	tests := []struct {
		name string
		run  func(t *testing.T, dir string)
	}{
		{"eight workers", func(t *testing.T, dir string) {
			o, _ := fakeRun(dir, n)
			o.Workers = 8
			mustRun(t, o)
		}},
		{"three devices", func(t *testing.T, dir string) {
			o, m := fakeRun(dir, n)
			o.Workers, m.delay = 6, time.Millisecond
			others := []*fakeMethod{{set: m.set, delay: m.delay}, {set: m.set, delay: m.delay}}
			for _, other := range others {
				o.Others = append(o.Others, other)
			}
			mustRun(t, o)
			if a, b, c := m.calls.Load(), others[0].calls.Load(), others[1].calls.Load(); a+b+c != n || min(a, b, c) < 3 {
				t.Errorf("%d, %d and %d images at the devices", a, b, c)
			}
		}},
		{"shards, backwards", func(t *testing.T, dir string) {
			for i := 3; i >= 0; i-- {
				o, _ := fakeRun(dir, n)
				o.Shard = Shard{i, 4}
				if sum := mustRun(t, o); sum.Generated != sum.Images || sum.Images > 6 {
					t.Errorf("shard %d: %+v", i, sum)
				}
			}
		}},
		{"twice", func(t *testing.T, dir string) {
			o, m := fakeRun(dir, n)
			mustRun(t, o)
			if sum := mustRun(t, o); sum.Skipped != n || m.calls.Load() != n {
				t.Errorf("second run %+v after %d calls", sum, m.calls.Load())
			}
		}},
		{"over an older configuration", func(t *testing.T, dir string) {
			o, _ := fakeRun(dir, n)
			o.ConfigHash, o.Fuse.IgnoreBand = "old", 2
			mustRun(t, o)
			o, _ = fakeRun(dir, n)
			if sum := mustRun(t, o); sum.Generated != n {
				t.Errorf("%+v: all labels are of another configuration", sum)
			}
		}},
		{"several runs at once", func(t *testing.T, dir string) {
			done := make(chan Summary)
			for range 4 {
				go func() {
					o, m := fakeRun(dir, n)
					m.delay = time.Millisecond
					sum, err := Run(context.Background(), o)
					if err != nil {
						t.Error(err)
					}
					done <- sum
				}()
			}
			generated := 0
			for range 4 {
				generated += (<-done).Generated
			}
			if generated != n {
				t.Errorf("%d images made by four runs, want each of %d once", generated, n)
			}
		}},
		{"damaged leftovers", func(t *testing.T, dir string) {
			o, _ := fakeRun(dir, n)
			mustRun(t, o)
			damage(t, filepath.Join(dir, "im001.png"), func(b []byte) []byte { return b[:len(b)/2] })
			damage(t, filepath.Join(dir, "im002.png"), func(b []byte) []byte { b[len(b)-20] ^= 1; return b })
			damage(t, filepath.Join(dir, "im003.json"), func(b []byte) []byte { return b[:len(b)/2] })
			damage(t, filepath.Join(dir, "im004.json"), func([]byte) []byte { return nil })
			damage(t, filepath.Join(dir, ManifestName), func([]byte) []byte { return []byte("{") })
			os.Remove(filepath.Join(dir, "im005.png"))
			os.Remove(filepath.Join(dir, "im006.json"))
			os.WriteFile(filepath.Join(dir, ".tmp-77-im007.png"), []byte("half"), 0o600)
			os.WriteFile(filepath.Join(dir, ".tmp-78-im008.json"), []byte("half"), 0o600)
			if sum := mustRun(t, o); sum.Generated != 6 {
				t.Errorf("%+v: 6 images are damaged", sum)
			}
		}},
		{"stopped and begun again", func(t *testing.T, dir string) {
			for k := 1; k < 6; k++ {
				o, _ := fakeRun(dir, n)
				ctx, cancel := context.WithCancel(t.Context())
				o.Progress = func(done, total int) {
					if done == 4*k {
						cancel()
					}
				}
				if sum, err := Run(ctx, o); !errors.Is(err, context.Canceled) || sum.Failed > 0 {
					t.Fatalf("cancelled run: %+v, %v", sum, err)
				}
				cancel()
			}
			o, _ := fakeRun(dir, n)
			mustRun(t, o)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			tt.run(t, dir)
			same(t, contents(t, dir), want)
		})
	}
}

func mustRun(t *testing.T, o RunOptions) Summary {
	t.Helper()
	sum, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func damage(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(raw), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRunHoldsNoMoreImagesThanWorkers(t *testing.T) {
	o, m := fakeRun(t.TempDir(), 40)
	m.delay, o.Workers = time.Millisecond, 3
	mustRun(t, o)
	if most := m.set.most.Load(); most > 3 {
		t.Errorf("%d images in memory with 3 workers", most)
	}
}

// reading is a method whose folder changes.
type reading struct {
	*fakeMethod
	dir, sum string
}

func (m reading) Inputs() (map[string]string, error) { return map[string]string{"cams": m.sum}, nil }
func (m reading) InputFiles(id string) ([]string, error) {
	return []string{filepath.Join(m.dir, id)}, nil
}

// A method that reads files of another tool labels those images again whose
// own file changed, and the manifest describes the folder.
func TestRunMakesLabelsAgainWhenInputsChange(t *testing.T) {
	o, m := fakeRun(t.TempDir(), 4)
	dir := t.TempDir()
	for i, step := range []struct {
		write, text string
		generated   int
	}{{"im001", "one", 4}, {"im001", "one", 0}, {"im001", "two", 1}, {"im003", "new", 1}, {"im003", "", 1}} {
		path := filepath.Join(dir, step.write)
		if step.text == "" {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte(step.text), 0o644); err != nil {
			t.Fatal(err)
		}
		o.Method = reading{m, dir, step.text}
		sum := mustRun(t, o)
		if sum.Generated != step.generated || i > 0 && sum.Changes.Files != step.generated {
			t.Errorf("step %d: %+v, want %d generated", i, sum, step.generated)
		}
		manifest, err := ReadManifest(o.OutDir)
		if err != nil || manifest.Inputs["cams"] != step.text {
			t.Errorf("step %d: manifest says %v, %v", i, manifest.Inputs, err)
		}
	}
}

// TestRunMakesLabelsAgainWhenWeightsChange: a classifier that was trained again
// under the same name is another one.
func TestRunMakesLabelsAgainWhenWeightsChange(t *testing.T) {
	o, _ := fakeRun(t.TempDir(), 4)
	for _, step := range []struct {
		weights   map[string]string
		generated int
	}{{nil, 4}, {map[string]string{}, 0}, {map[string]string{"net": "a"}, 4}, {map[string]string{"net": "a"}, 0}, {map[string]string{"net": "b"}, 4}} {
		o.Weights = step.weights
		if sum := mustRun(t, o); sum.Generated != step.generated {
			t.Errorf("weights %v: %+v, want %d generated", step.weights, sum, step.generated)
		}
	}
}

func TestRunFailures(t *testing.T) {
	fail := map[string]error{"im002": errFake, "im005": errors.New("panic")}
	t.Run("stops", func(t *testing.T) {
		o, m := fakeRun(t.TempDir(), 50)
		m.fail, m.delay = map[string]error{"im002": errFake}, time.Millisecond
		sum, err := Run(t.Context(), o)
		if !errors.Is(err, errFake) || !strings.HasPrefix(err.Error(), "im002: ") || sum.Failed != 1 || sum.Generated > 10 {
			t.Fatalf("%+v, %v", sum, err)
		}
	})
	t.Run("names the first in order", func(t *testing.T) {
		for range 4 {
			o, m := fakeRun(t.TempDir(), 9)
			o.Workers = 4
			m.fail = map[string]error{"im002": errors.New("first"), "im003": errFake, "im004": errFake}
			if _, err := Run(t.Context(), o); err == nil || err.Error() != "im002: first" {
				t.Fatalf("error %v, want that of im002", err)
			}
		}
	})
	t.Run("keeps going", func(t *testing.T) {
		o, m := fakeRun(t.TempDir(), 9)
		mustRun(t, o) // labels of another configuration must not survive a failure
		o.ConfigHash, o.KeepGoing, m.fail = "h2", true, fail
		sum, err := Run(t.Context(), o)
		var failed *FailedError
		if !errors.As(err, &failed) || len(failed.Failures) != 2 || sum.Generated != 7 || sum.Failed != 2 {
			t.Fatalf("%+v, %v", sum, err)
		}
		if f := failed.Failures; f[0].ID != "im002" || f[1].ID != "im005" || !strings.Contains(f[1].Err.Error(), "run_test.go:") {
			t.Errorf("failures %v", f)
		}
		if _, err := os.Stat(filepath.Join(o.OutDir, "im002.png")); !os.IsNotExist(err) {
			t.Errorf("the failed image kept an old label: %v", err)
		}
	})
}

func TestRunRefuses(t *testing.T) {
	foreign := t.TempDir()
	if err := data.WriteLabelMap(filepath.Join(foreign, "truth.png"), data.NewLabelMap(2, 2)); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(o *RunOptions)
		want   string
	}{
		{"foreign folder", func(o *RunOptions) { o.OutDir = foreign }, "were not made by a run"},
		{"no hash", func(o *RunOptions) { o.ConfigHash = "" }, "no config hash"},
		{"fuse rule", func(o *RunOptions) { o.Fuse.Rule = "x" }, `gen.fuse.rule = "x"`},
		{"check", func(o *RunOptions) { o.Checks = []string{"turn"} }, `"turn" is unknown`},
		{"id that leaves the folder", func(o *RunOptions) { o.Dataset.(*fakeSet).ids = []string{"../x"} }, "leaves its folder"},
		{"id of the folder", func(o *RunOptions) { o.Dataset.(*fakeSet).ids = []string{"a/.."} }, "names no file"},
		{"id of the manifest", func(o *RunOptions) { o.Dataset.(*fakeSet).ids = []string{"run"} }, "overwrite"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, m := fakeRun(filepath.Join(t.TempDir(), "out"), 1)
			tt.change(&o)
			if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if m.calls.Load() > 0 {
				t.Error("the method was called")
			}
		})
	}
}

func TestParseShard(t *testing.T) {
	for text, want := range map[string]Shard{"": {}, "0/1": {0, 1}, "3/4": {3, 4}} {
		if got, err := ParseShard(text); err != nil || got != want || got.String() != text {
			t.Errorf("ParseShard(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"1", "4/4", "-1/4", "1/0", "a/b", "1/2/3", "/"} {
		if got, err := ParseShard(text); err == nil || !strings.Contains(err.Error(), "i/n") {
			t.Errorf("ParseShard(%q) = %v, %v", text, got, err)
		}
	}
}

func TestReadSidecarRejects(t *testing.T) {
	for name, text := range map[string]string{
		"no json":       "label",
		"no size":       `{"id":"a"}`,
		"huge":          `{"width":1000000,"height":1000000}`,
		"mask too long": `{"width":2,"height":2,"masks":[{"rle":"14"},{"rle":"5"}]}`,
		"bad character": `{"width":2,"height":2,"masks":[{"rle":"\u0001"}]}`,
	} {
		path := filepath.Join(t.TempDir(), "a.json")
		os.WriteFile(path, []byte(text), 0o644)
		if s, err := ReadSidecar(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func FuzzReadSidecar(f *testing.F) {
	o, _ := fakeRun(f.TempDir(), 1)
	if _, err := Run(f.Context(), o); err != nil {
		f.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(o.OutDir, "im000.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(bytes.ReplaceAll(raw, []byte("20"), []byte("3")))
	f.Add([]byte(`{"width":2,"height":2,"masks":[{"rle":"04"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := parseSidecar(raw)
		if err != nil {
			return
		}
		for _, m := range s.Masks {
			if err := m.Bits.Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
