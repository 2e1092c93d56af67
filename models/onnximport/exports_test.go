package onnximport

import (
	"encoding/json"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
)

// port describes an input of an exported network; see gen_exports.py.
type port struct {
	Dims   []int
	Type   string
	Values []float64
}

func readInputs(t testing.TB, path string) map[string]*tensors.Tensor {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var ports map[string]port
	if err := json.Unmarshal(data, &ports); err != nil {
		t.Fatal(err)
	}
	out := map[string]*tensors.Tensor{}
	for name, p := range ports {
		out[name] = p.tensor(t, name)
	}
	return out
}

func (p port) tensor(t testing.TB, name string) *tensors.Tensor {
	t.Helper()
	switch p.Type {
	case "float32":
		h := fnv.New64a()
		h.Write([]byte(name))
		r := rand.New(rand.NewPCG(h.Sum64(), 2))
		n := 1
		for _, d := range p.Dims {
			n *= d
		}
		data := make([]float32, n)
		for i := range data {
			data[i] = float32(r.NormFloat64())
			if p.Values != nil {
				data[i] = float32(p.Values[i])
			}
		}
		return tensors.FromFlatDataAndDimensions(data, p.Dims...)
	case "int64":
		return tensors.FromFlatDataAndDimensions(convert[int64](p.Values), p.Dims...)
	case "bool":
		bits := make([]bool, len(p.Values))
		for i, v := range p.Values {
			bits[i] = v != 0
		}
		return tensors.FromFlatDataAndDimensions(bits, p.Dims...)
	}
	t.Fatalf("input of type %q", p.Type)
	return nil
}

// TestExports runs networks that PyTorch exported, with the graph patterns of
// the real models, on every engine: results equal ONNX Runtime's to 1e-4.
func TestExports(t *testing.T) {
	paths, err := filepath.Glob("testdata/exports/*.onnx")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no exports: %v", err)
	}
	stored := readFixture(t, "testdata/exports.json")
	b := engines(t)
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".onnx")
		t.Run(name, func(t *testing.T) {
			inputs := readInputs(t, strings.TrimSuffix(path, ".onnx")+".json")
			m, err := Open(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			want := stored[name]
			if backend.FindORT() != "" {
				want = fromORT(t, path, inputs, m.OutputNames())
				stored[name] = want
			}
			for engine, b := range b {
				r, err := NewRunner(b, m, RunnerOptions{NoORT: true})
				if err != nil {
					t.Fatal(err)
				}
				res, err := r.Run(inputs)
				if err != nil {
					t.Errorf("%s: %v", engine, err)
					continue
				}
				for i, got := range samplesOf(res, m.OutputNames()) {
					if err := compare(got, want[i], 1e-4); err != nil {
						t.Errorf("%s: output %s: %v", engine, m.OutputNames()[i], err)
					}
				}
				r.Close()
			}
		})
	}
	if *update {
		stored.write(t, "testdata/exports.json")
	}
}
