package checkpoints

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/safetensors"
)

// TestHeaderRanges: a header whose checksum is right and whose values are not
// is one error that names file and key, and Latest goes back past it.
func TestHeaderRanges(t *testing.T) {
	for _, c := range []struct {
		key    string
		change func(m *Meta)
	}{
		{"train.network.output_stride = 0", func(m *Meta) { m.Model.Train.OutputStride = 0 }},
		{"train.network.output_stride = -16", func(m *Meta) { m.Model.Train.OutputStride = -16 }},
		{"train.augment.crop = -1", func(m *Meta) { m.Model.Train.Crop = -1 }},
		{"train.augment.crop = 0", func(m *Meta) { m.Model.Train.Crop = 0 }},
		{"train.augment.crop = 1000000000", func(m *Meta) { m.Model.Train.Crop = 1e9 }},
		{"train.network.width = NaN", func(m *Meta) { m.Model.Train.Width = math.NaN() }},
		{"train.network.width = 1e+09", func(m *Meta) { m.Model.Train.Width = 1e9 }},
		{"train.optimizer.lr = NaN", func(m *Meta) { m.Model.Train.LR = math.NaN() }},
		{"train.network.arch", func(m *Meta) { m.Model.Train.Arch = "unet" }},
		{"classes = 0", func(m *Meta) { m.Model.Classes = nil }},
		{"classes = 1", func(m *Meta) { m.Model.Classes = m.Model.Classes[:1] }},
		{"classes = 300", func(m *Meta) { m.Model.Classes = slices.Repeat([]string{"x"}, 300) }},
		{"log_bytes = -555", func(m *Meta) { m.LogBytes = -555 }},
		{"drawn = -1", func(m *Meta) { m.Drawn = -1 }},
		{"epoch = -1", func(m *Meta) { m.Epoch = -1 }},
		{"images = -1", func(m *Meta) { m.Images = -1 }},
		{"best_step = 3", func(m *Meta) { m.BestStep = 3 }},
		{"best = 2", func(m *Meta) { m.Best = 2 }},
		{"log = ", func(m *Meta) { m.Log = "../../log" }},
	} {
		t.Run(c.key, func(t *testing.T) {
			dir := t.TempDir()
			save(t, dir, 1)
			m := meta(2)
			c.change(&m)
			path, err := Save(dir, m, values(2))
			if err != nil {
				t.Fatal(err)
			}
			_, err = Open(path)
			if err == nil || !strings.Contains(err.Error(), c.key) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with the file and %q", err, c.key)
			}
			var warned string
			got, err := Latest(dir, func(s string) { warned = s })
			if err != nil || got.Meta.Step != 1 || !strings.Contains(warned, c.key) {
				t.Errorf("Latest: %v, warning %q", err, warned)
			}
		})
	}
}

// TestStepIsTheNames: a file under the name of another step is refused; under
// a name of its own it may be kept anywhere.
func TestStepIsTheNames(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, 1)
	for name, fails := range map[string]bool{FileName(2): true, "net.safetensors": false} {
		raw, _ := os.ReadFile(filepath.Join(dir, FileName(1)))
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); (err != nil) != fails {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFormat1: files of the first format, whose checksum is of the tensors'
// bytes alone, are read, and keys that came later have their defaults.
func TestFormat1(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName(2))
	m, vals := meta(2), values(2)
	m.Format = 1
	write := func(crc string) {
		var text bytes.Buffer
		if err := toml.NewEncoder(&text).Encode(m.Model.Train); err != nil {
			t.Fatal(err)
		}
		older := strings.Replace(text.String(), "crop_at = \"random\"\n", "", 1)
		raw, err := json.Marshal(header{Meta: m, TrainTOML: older, CRC: crc})
		if err != nil || older == text.String() {
			t.Fatalf("%v: no key crop_at in\n%s", err, &text)
		}
		if err := safetensors.WriteFile(path, vals, map[string]string{formatKey: "wsss", metaKey: string(raw)}); err != nil {
			t.Fatal(err)
		}
	}
	write(tensorSum(t, vals))
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if c.Meta.Step != 2 || c.Meta.Model.Train.CropAt != "random" {
		t.Errorf("read %+v", c.Meta)
	}
	write("00000000")
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("a wrong checksum: %v", err)
	}
}

func tensorSum(t *testing.T, values map[string]*tensors.Tensor) string {
	t.Helper()
	sum := crc32.New(castagnoli)
	for _, name := range []string{"opt/momentum/a/w", "var/#rngState", "var/a/w"} {
		if err := values[name].ConstBytes(func(b []byte) { sum.Write(b) }); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("%08x", sum.Sum32())
}
