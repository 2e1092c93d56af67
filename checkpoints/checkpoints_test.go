package checkpoints

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/configs"
)

func meta(step int) Meta {
	train := configs.Default().Train
	train.Arch, train.Width = "deeplab-v3plus", 0.25
	return Meta{
		Step: step, Seed: 7, Drawn: int64(step * 4), Images: 10, Log: "log.jsonl", LogBytes: 123,
		Model:   Model{Train: train, Classes: []string{"background", "cat"}},
		Backend: "go", Versions: map[string]string{"go": "x"}, ConfigHash: "c", LabelsHash: "l",
	}
}

func values(x float32) map[string]*tensors.Tensor {
	return map[string]*tensors.Tensor{
		"var/a/w":          tensors.FromFlatDataAndDimensions([]float32{x, 2, 3, 4}, 2, 2),
		"opt/momentum/a/w": tensors.FromFlatDataAndDimensions([]float32{0, 0, 0, x}, 2, 2),
		"var/#rngState":    tensors.FromFlatDataAndDimensions([]uint64{1, 2, 3}, 3),
	}
}

func save(t *testing.T, dir string, steps ...int) {
	t.Helper()
	for _, s := range steps {
		if _, err := Save(dir, meta(s), values(float32(s))); err != nil {
			t.Fatal(err)
		}
	}
}

func steps(t *testing.T, dir string) []int {
	t.Helper()
	entries, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, e := range entries {
		got = append(got, e.Step)
	}
	return got
}

func TestSaveOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "odd [name]*")
	save(t, dir, 5)
	c, err := Latest(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := meta(5)
	want.Format = format
	if !reflect.DeepEqual(c.Meta, want) {
		t.Fatalf("meta\n%+v, want\n%+v", c.Meta, want)
	}
	for name, v := range values(5) {
		got, err := c.Tensor(name)
		if err != nil || !got.Equal(v) {
			t.Fatalf("%s: %v, %v", name, got, err)
		}
	}
}

func TestSameBytes(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	save(t, a, 1)
	save(t, b, 1)
	x, _ := os.ReadFile(filepath.Join(a, FileName(1)))
	y, _ := os.ReadFile(filepath.Join(b, FileName(1)))
	if len(x) == 0 || !bytes.Equal(x, y) {
		t.Fatal("the same state gave other bytes")
	}
}

func TestDamagedFallsBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(raw []byte) []byte
	}{
		{"truncated", func(raw []byte) []byte { return raw[:len(raw)-5] }},
		{"empty", func([]byte) []byte { return nil }},
		{"flipped bit", func(raw []byte) []byte { raw[len(raw)-3] ^= 1; return raw }},
		{"header only", func(raw []byte) []byte { return raw[:100] }},
		{"another seed", func(raw []byte) []byte { return bytes.Replace(raw, []byte(`"seed\":7`), []byte(`"seed\":8`), 1) }},
		{"another step", func(raw []byte) []byte { return bytes.Replace(raw, []byte(`"step\":2`), []byte(`"step\":3`), 1) }},
		{"another rate", func(raw []byte) []byte {
			return bytes.Replace(raw, []byte("momentum = 0.9"), []byte("momentum = 0.8"), 1)
		}},
		{"another name of a tensor", func(raw []byte) []byte { return bytes.Replace(raw, []byte("var/a/w"), []byte("var/a/v"), 1) }},
		{"no checksum", func(raw []byte) []byte { return bytes.Replace(raw, []byte(sumKey), []byte("wsss_crc32x"), 1) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			save(t, dir, 1, 2)
			path := filepath.Join(dir, FileName(2))
			raw, _ := os.ReadFile(path)
			damaged := c.damage(bytes.Clone(raw))
			if bytes.Equal(damaged, raw) {
				t.Fatal("nothing is damaged")
			}
			if err := os.WriteFile(path, damaged, 0o644); err != nil {
				t.Fatal(err)
			}
			var warned string
			got, err := Latest(dir, func(s string) { warned = s })
			if err != nil {
				t.Fatal(err)
			}
			got.Close()
			if got.Meta.Step != 1 || !strings.Contains(warned, FileName(2)) || !strings.Contains(warned, "back to step 1") {
				t.Fatalf("step %d, warning %q", got.Meta.Step, warned)
			}
			if err := os.Remove(filepath.Join(dir, FileName(1))); err != nil {
				t.Fatal(err)
			}
			if _, err := Latest(dir, nil); err == nil || errors.Is(err, ErrNone) {
				t.Fatalf("only a damaged file: error %v", err)
			}
		})
	}
}

func TestNone(t *testing.T) {
	if _, err := Latest(filepath.Join(t.TempDir(), "missing"), nil); !errors.Is(err, ErrNone) {
		t.Fatalf("error %v", err)
	}
}

func TestPrune(t *testing.T) {
	every10 := func(s int) bool { return s%10 == 0 }
	for _, c := range []struct {
		name   string
		have   []int
		keep   int
		pinned []int
		want   []int
	}{
		{"last and two", []int{10, 20, 30, 40}, 2, nil, []int{20, 30, 40}},
		{"none beside the last", []int{10, 20, 30}, 0, nil, []int{30}},
		{"best stays", []int{10, 20, 30, 40}, 1, []int{10}, []int{10, 30, 40}},
		{"an interrupt's file goes once passed", []int{10, 17, 20}, 5, nil, []int{10, 20}},
		{"an interrupt's file stays while newest", []int{10, 17}, 5, nil, []int{10, 17}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			save(t, dir, c.have...)
			tmp := filepath.Join(dir, ".tmp-123-"+FileName(99))
			if err := os.WriteFile(tmp, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := Prune(dir, c.keep, every10, c.pinned...); err != nil {
				t.Fatal(err)
			}
			if got := steps(t, dir); !reflect.DeepEqual(got, c.want) {
				t.Fatalf("left %v, want %v", got, c.want)
			}
			if _, err := os.Stat(tmp); !os.IsNotExist(err) {
				t.Fatal("temporary file left")
			}
		})
	}
}
