package load

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"
	"google.golang.org/protobuf/proto"

	"wsss/data/datatest"
	"wsss/models/backend"
	"wsss/models/backend/backendtest"
	"wsss/models/onnximport/onnxtest"
)

// TestRealFiles: published files of other tools, fetched by `make real`, give
// what ONNX Runtime does, without falling back to it.
func TestRealFiles(t *testing.T) {
	if backend.FindORT() == "" {
		t.Skip("ONNX Runtime is not installed: set ONNXRUNTIME_SHARED_LIBRARY_PATH")
	}
	for _, c := range []struct {
		file, input string
		dims        []int
		allowed     float64
		long        bool // minutes on go
		wide        bool // ONNX Runtime computes the same file in float32
	}{
		{"nudenet-320n.onnx", "images", []int{1, 3, 320, 320}, 1e-4, false, false},
		{"ppocr-det.onnx", "x", []int{1, 3, 160, 224}, 1e-4, false, false},
		{"ppocr-rec.onnx", "x", []int{1, 3, 48, 160}, 1e-4, false, false},
		{"ppocr-cls.onnx", "x", []int{2, 3, 48, 192}, 1e-4, false, false},
		// ONNX Runtime rounds every step of a half-precision file to half precision;
		// in float32 the same file is the same.
		{"isnet.onnx", "input", []int{1, 3, 1024, 1024}, 3e-3, true, false},
		{"isnet.onnx", "input", []int{1, 3, 1024, 1024}, 1e-4, true, true},
		{"isnet-int8.onnx", "input", []int{1, 3, 1024, 1024}, 1e-4, true, false},
	} {
		name := c.file
		if c.wide {
			name += " in float32"
		}
		t.Run(name, func(t *testing.T) {
			path := datatest.Real(t, c.file)
			if c.long && os.Getenv("WSSS_VERIFY") == "" {
				t.Skip("a large network, minutes on go: set WSSS_VERIFY=1")
			}
			if c.long { // else what waits to be freed on go is twice of what it needs
				defer debug.SetMemoryLimit(debug.SetMemoryLimit(4 << 30))
			}
			if c.wide {
				path = onnxtest.Widen(t, path)
			}
			backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
				run, err := Compare(t.Context(), b, path, 1, map[string][]int{c.input: c.dims})
				if err != nil {
					t.Fatal(err)
				}
				if run.Whole {
					t.Error("it fell back to ONNX Runtime")
				}
				for _, o := range run.Outputs {
					t.Logf("%s: %.1e; %v, ONNX Runtime %v", o.Output, o.Error, run.Ours, run.ORT)
					if !(o.Error <= c.allowed) {
						t.Errorf("output %s differs by %.1e", o.Output, o.Error)
					}
				}
			})
		})
	}
}

// TestFallback: a file that no engine takes runs through ONNX Runtime and says
// so without being asked; one whose data file is missing stops.
func TestFallback(t *testing.T) {
	if backend.FindORT() == "" {
		t.Skip("ONNX Runtime is not installed: set ONNXRUNTIME_SHARED_LIBRARY_PATH")
	}
	var said []string
	defer func(was func(string)) { Fallback = was }(Fallback)
	Fallback = func(msg string) { said = append(said, msg) }
	b := backendtest.One(t)
	path := onnxtest.Write(t, "odd", &protos.GraphProto{
		Input:  []*protos.ValueInfoProto{onnxtest.Port("x", 100)},
		Output: []*protos.ValueInfoProto{onnxtest.Port("y", 100)},
		Node:   []*protos.NodeProto{onnxtest.Node("Sinh", "y", []string{"x"})},
	})
	s, err := Open(b, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x := make([]float32, 100)
	x[3] = 1
	out, err := s.Run(t.Context(), map[string]*tensors.Tensor{"x": tensors.FromFlatDataAndDimensions(x, 100)})
	if err != nil {
		t.Fatal(err)
	}
	if got := tensors.MustCopyFlatData[float32](out["y"]); len(got) != 100 || math.Abs(float64(got[3])-math.Sinh(1)) > 1e-6 {
		t.Errorf("%v", got)
	}
	if len(said) != 1 || !strings.Contains(said[0], "odd.onnx runs whole through ONNX Runtime on the CPU") {
		t.Errorf("it said %q", said)
	}

	w := onnxtest.Floats("w", []float32{1, 2}, 2)
	w.RawData, w.DataLocation = nil, protos.TensorProto_EXTERNAL
	w.ExternalData = []*protos.StringStringEntryProto{{Key: "location", Value: "weights.bin"}}
	g := &protos.GraphProto{Name: "lost", Input: []*protos.ValueInfoProto{onnxtest.Port("x", 2)}, Output: []*protos.ValueInfoProto{onnxtest.Port("y", 2)},
		Node: []*protos.NodeProto{onnxtest.Node("Add", "y", []string{"x", "w"})}, Initializer: []*protos.TensorProto{w}}
	raw, err := proto.Marshal(&protos.ModelProto{IrVersion: 8, Graph: g, OpsetImport: []*protos.OperatorSetIdProto{{Version: 17}}})
	if err != nil {
		t.Fatal(err)
	}
	lost := filepath.Join(t.TempDir(), "lost.onnx")
	if err := os.WriteFile(lost, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(b, lost, Options{}); err == nil {
		_, err = s.Run(t.Context(), map[string]*tensors.Tensor{"x": tensors.FromFlatDataAndDimensions([]float32{1, 2}, 2)})
	}
	if err == nil || !strings.Contains(err.Error(), "weights.bin") || strings.Contains(err.Error(), "ONNX Runtime") {
		t.Errorf("a missing data file: %v", err)
	}
}
