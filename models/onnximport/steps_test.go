package onnximport

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
	"wsss/models/backend/backendtest"
)

// detector is a graph as detectors end: boxes and scores are computed, the
// selection gathers both, and what is left is sorted by another score. Its
// operands have more elements than are ever compiled in.
func detector(t *testing.T) string {
	f32, i64 := protos.TensorProto_FLOAT, protos.TensorProto_INT64
	numbers := func(name string, dims []int64, v ...int64) *protos.TensorProto {
		return &protos.TensorProto{Name: name, DataType: int32(i64), Dims: dims, Int64Data: v}
	}
	return writeModel(t, modelProto(&protos.GraphProto{
		Name: "detector",
		Node: []*protos.NodeProto{
			n("Mul", []string{"raw", "two"}, []string{"boxes"}, nil),
			n("Sigmoid", []string{"logits"}, []string{"scores"}, nil),
			n("NonMaxSuppression", []string{"boxes", "scores", "most", "iou", "least"}, []string{"selected"}, nil),
			n("Gather", []string{"selected", "column"}, []string{"place"}, at{"axis": 1}),    // [n]
			n("Squeeze", []string{"boxes", "first"}, []string{"flat"}, nil),                  // [boxes, 4]
			n("Gather", []string{"flat", "place"}, []string{"kept"}, at{"axis": 0}),          // [n, 4]
			n("GatherND", []string{"scores", "selected"}, []string{"kept_scores"}, nil),      // [n]
			n("ReduceSum", []string{"kept"}, []string{"total"}, at{"keepdims": 0}),           // of all that is kept
			n("Shape", []string{"place"}, []string{"count"}, nil),                            // [1]
			n("TopK", []string{"kept_scores", "count"}, []string{"sorted", "order"}, nil),    // of what is kept
			n("Gather", []string{"kept", "order"}, []string{"best_first"}, at{"axis": 0}),    // [n, 4]
			n("Greater", []string{"sorted", "half"}, []string{"sure"}, nil),                  // [n]
			n("NonZero", []string{"sure"}, []string{"where"}, nil),                           // [1, m]
			n("Squeeze", []string{"where", "first"}, []string{"which"}, nil),                 // [m]
			n("Gather", []string{"best_first", "which"}, []string{"certain"}, at{"axis": 0}), // [m, 4]
		},
		Initializer: []*protos.TensorProto{
			initOf("two", f32, []float32{2}), initOf("iou", f32, []float32{0.4}, 1), initOf("least", f32, []float32{0.5}, 1), initOf("half", f32, []float32{0.75}),
			numbers("most", []int64{1}, 5), numbers("column", nil, 2), numbers("first", []int64{1}, 0),
		},
		Input: []*protos.ValueInfoProto{portProto("raw", f32, "images", "boxes", "four"), portProto("logits", f32, "images", "classes", "boxes")},
		Output: []*protos.ValueInfoProto{portProto("selected", i64, "n", "three"), portProto("best_first", f32, "n", "four"), portProto("sorted", f32, "n"),
			portProto("total", f32), portProto("certain", f32, "m", "four"), portProto("count", i64, "one")},
	}))
}

// detections are operands of the detector of which about so many are kept:
// logits that far below 0 are none.
func detections(seed string, shift float64) map[string]*tensors.Tensor {
	r := opCase{name: seed}.rand()
	return map[string]*tensors.Tensor{"raw": uni(0, 2, 1, 24, 4).tensor(r), "logits": uni(-1+shift, 1+shift, 1, 3, 24).tensor(r)}
}

// TestSteps: a detector's selection is as long as the photo says. The network
// before it, and what follows, run on the engine, and equal ONNX Runtime; a photo
// without any detection gives empty results.
func TestSteps(t *testing.T) {
	path := detector(t)
	outs := []string{"selected", "best_first", "sorted", "total", "certain", "count"}
	backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
		r, err := NewRunner(b, open(t, path, Options{}), RunnerOptions{NoORT: true})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		counts := map[int]bool{}
		for i, c := range []struct {
			seed  string
			shift float64
		}{{"a", 0}, {"b", 3}, {"c", -0.6}, {"a", 0}, {"none", -9}, {"b", 3}} {
			in := detections(c.seed, c.shift)
			out, err := r.Run(in)
			if err != nil {
				t.Fatal(err)
			}
			kept := out["selected"].Shape().Dimensions[0]
			counts[kept] = true
			if none := c.seed == "none"; none != (kept == 0) {
				t.Fatalf("photo %d: %d are kept", i, kept)
			}
			if backend.FindORT() == "" {
				continue
			}
			want := fromORT(t, path, in, outs)
			for k, got := range samplesOf(out, outs) {
				if err := compare(got, want[k], 1e-5); err != nil {
					t.Errorf("photo %d: %s: %v", i, outs[k], err)
				}
			}
		}
		if len(counts) < 3 {
			t.Errorf("counts %v: too few to tell", counts)
		}
		if _, err := r.RunEach(detections("a", 0), []string{"raw", "logits"}); !errors.Is(err, ErrWhole) {
			t.Errorf("several at once: %v", err)
		}
	})
}

// TestStepsCompileOnce: photos with as many detections share all that is
// compiled, and those with others the network before the selection.
func TestStepsCompileOnce(t *testing.T) {
	r := runner(t, open(t, detector(t), Options{}), RunnerOptions{NoORT: true})
	for _, seed := range []string{"a", "b", "a"} {
		for _, shift := range []float64{0, 3} {
			if _, err := r.Run(detections(seed, shift)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var kept []int
	for i := range r.parts {
		kept = append(kept, r.parts[i].Len())
	}
	if len(kept) != 3 || kept[0] != 1 || kept[1] > 4 {
		t.Errorf("parts compiled for three steps: %v", kept)
	}
}

// TestStepsOfOperands: boxes by hand. The second overlaps the first by 0.6, the
// third by none; with its corners exchanged a box is the same.
func TestStepsOfOperands(t *testing.T) {
	c := opCase{name: "by hand", op: "NonMaxSuppression", in: []operand{
		{dims: []int{1, 4, 4}, floats: []float32{0, 0, 1, 4, 1, 5, 0, 1, 2, 0, 3, 4, 0, 10, 1, 14}},
		{dims: []int{1, 1, 4}, floats: []float32{0.9, 0.8, 0.7, 0.2}}, ints(3), floats(0.5), floats(0.3)}}
	path, in := c.model(t)
	out, err := runner(t, open(t, path, Options{}), RunnerOptions{NoORT: true}).Run(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := asFloats(out["out0"]); !slices.Equal(got, []float64{0, 0, 0, 0, 0, 2}) {
		t.Errorf("selected %v", got)
	}
}

// TestStepsErrors: operands that the op does not take are named, and nothing is
// handed on to ONNX Runtime that fails alike.
func TestStepsErrors(t *testing.T) {
	for name, c := range map[string]struct {
		c    opCase
		want string
	}{
		"overlap": {opCase{in: []operand{rnd(1, 24, 4), rnd(1, 1, 24), ints(3), floats(1.5)}}, "iou_threshold 1.5: allowed are numbers in [0, 1]"},
		"layout":  {opCase{in: []operand{rnd(1, 24, 4), rnd(1, 1, 24), ints(3)}, attrs: at{"center_point_box": 2}}, "center_point_box 2: allowed are 0 and 1"},
		"shapes":  {opCase{in: []operand{rnd(1, 24, 4), rnd(1, 1, 23), ints(3)}}, "wanted are [images, boxes, 4] and [images, classes, boxes]"},
		"most":    {opCase{in: []operand{rnd(1, 24, 4), rnd(1, 1, 24), ints(3, 4)}}, "wanted is one number"},
	} {
		t.Run(name, func(t *testing.T) {
			c.c.name, c.c.op = name, "NonMaxSuppression"
			path, in := c.c.model(t)
			_, err := runner(t, open(t, path, Options{}), RunnerOptions{NoORT: true}).Run(in)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "model.onnx") || !strings.Contains(err.Error(), "NonMaxSuppression") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestStepsInspected: inspect says what is computed apart.
func TestStepsInspected(t *testing.T) {
	m := open(t, detector(t), Options{})
	r := m.Inspect(map[string][]int{"raw": {1, 24, 4}, "logits": {1, 3, 24}})
	var text strings.Builder
	r.Write(&text)
	if !r.Importable() || r.Apart["NonMaxSuppression"] != 1 || r.Apart["NonZero"] != 1 || !strings.Contains(text.String(), "computed apart") {
		t.Errorf("%v:\n%s", r.Failed, &text)
	}
}

// TestStepsInLoop: a selection inside a loop cannot be computed apart, and the
// error tells why.
func TestStepsInLoop(t *testing.T) {
	f32, i64, boolean := protos.TensorProto_FLOAT, protos.TensorProto_INT64, protos.TensorProto_BOOL
	b := body([]*protos.NodeProto{
		n("Identity", []string{"going"}, []string{"on"}, nil),
		n("NonZero", []string{"x"}, []string{"where"}, nil),
		n("Cast", []string{"where"}, []string{"next"}, at{"to": int(f32)}),
	}, []*protos.ValueInfoProto{portProto("i", i64), portProto("going", boolean), portProto("acc", f32, "one", "n")},
		portProto("on", boolean), portProto("next", f32, "one", "n"))
	path := writeModel(t, modelProto(&protos.GraphProto{
		Node:        []*protos.NodeProto{n("Loop", []string{"two", "", "start"}, []string{"y"}, at{"body": b})},
		Initializer: []*protos.TensorProto{scalarInt("two", 2), initOf("start", f32, []float32{0}, 1, 1)},
		Input:       []*protos.ValueInfoProto{portProto("x", f32, "n")},
		Output:      []*protos.ValueInfoProto{portProto("y", f32, "one", "n")},
	}))
	m := open(t, path, Options{})
	_, err := runner(t, m, RunnerOptions{NoORT: true}).Run(map[string]*tensors.Tensor{"x": rnd(100).tensor(opCase{}.rand())})
	if err == nil || !strings.Contains(err.Error(), "the input of NonZero must be known beforehand") {
		t.Errorf("%v", err)
	}
	if r := m.Inspect(map[string][]int{"x": {100}}); r.Importable() {
		t.Error("inspect says that it can be imported")
	}
}

// TestDoubleGrid: exporters leave grids, or images too, in double precision.
func TestDoubleGrid(t *testing.T) {
	if backend.FindORT() == "" {
		t.Skip("ONNX Runtime is not installed: nothing to compare with")
	}
	f32, f64 := protos.TensorProto_FLOAT, protos.TensorProto_DOUBLE
	graph := func(image protos.TensorProto_DataType, grid protos.TensorProto_DataType) string {
		return writeModel(t, modelProto(&protos.GraphProto{
			Name: "sampled",
			Node: []*protos.NodeProto{
				n("Cast", []string{"x"}, []string{"image"}, at{"to": int(image)}), n("Cast", []string{"at"}, []string{"grid"}, at{"to": int(grid)}),
				n("GridSample", []string{"image", "grid"}, []string{"read"}, nil), n("Cast", []string{"read"}, []string{"y"}, at{"to": int(f32)}),
			},
			Input:  []*protos.ValueInfoProto{portProto("x", f32, "a", "b", "c", "d"), portProto("at", f32, "a", "e", "f", "two")},
			Output: []*protos.ValueInfoProto{portProto("y", f32, "a", "b", "e", "f")},
		}))
	}
	r := opCase{name: "double grid"}.rand()
	in := map[string]*tensors.Tensor{"x": rnd(2, 3, 6, 5).tensor(r), "at": uni(-1.3, 1.3, 2, 4, 7, 2).tensor(r)}
	want := fromORT(t, graph(f32, f32), in, []string{"y"}) // it has no kernel for doubles
	for name, path := range map[string]string{"both": graph(f64, f64), "grid": graph(f32, f64), "image": graph(f64, f32)} {
		out, err := runner(t, open(t, path, Options{}), RunnerOptions{NoORT: true}).Run(in)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := compare(sampleOf(out["y"]), want[0], 1e-4); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
