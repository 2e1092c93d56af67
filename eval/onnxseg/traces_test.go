package onnxseg

import (
	"compress/gzip"
	"context"
	"fmt"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/safetensors"
	"wsss/configs"
	"wsss/data"
	"wsss/models/backend/backendtest"
)

// tracedClasses are those of the networks of testdata/gen_traces.py.
const tracedClasses = 4

// traced unpacks a network that transformers' code was traced to.
func traced(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".onnx.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".onnx")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// rectangles is picture of testdata/gen_traces.py.
func rectangles(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			var p [3]uint8
			for c := range 3 {
				p[c] = uint8(x*90/w + y*60/h + c*30)
				for i, r := range [3]image.Rectangle{image.Rect(1, 1, 5, 6), image.Rect(6, 2, 11, 5), image.Rect(3, 7, 9, 11)} {
					if x*12 < r.Min.X*w || x*12 >= r.Max.X*w || y*12 < r.Min.Y*h || y*12 >= r.Max.Y*h {
						continue
					}
					if p[c] = uint8(20 + 10*i); c == i {
						p[c] = 240
					}
				}
			}
			img.SetNRGBA(x, y, color.NRGBA{p[0], p[1], p[2], 255})
		}
	}
	return img
}

// traces are the networks, by file, and the sizes of photos whose labels are known.
var traces = []struct {
	name  string
	cfg   configs.ONNX
	sizes []image.Point
}{
	{"segformer", configs.ONNX{}, []image.Point{{96, 64}, {70, 50}}},
	{"maskformer", configs.ONNX{OutputLayout: configs.Queries}, []image.Point{{96, 64}, {70, 50}}},
	{"mask2former", configs.ONNX{OutputLayout: configs.Queries, Output: "class_queries_logits", Masks: "masks_queries_logits"}, []image.Point{{96, 64}, {70, 50}}},
	{"eomt", configs.ONNX{OutputLayout: configs.Queries}, []image.Point{{64, 64}}},
}

// TestTraces: photos get the labels that the same networks give in PyTorch, at their own
// size and padded, but for pixels where two classes are about as likely.
func TestTraces(t *testing.T) {
	ref, err := safetensors.Open("testdata/labels.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer ref.Close()
	for _, tt := range traces {
		path, engines := traced(t, tt.name), backendtest.Quick(t)
		if len(tt.sizes) == 1 { // XLA has but one graph to compile
			engines = backendtest.Names(t)
		}
		backendtest.Each(t, engines, func(t *testing.T, b compute.Backend) {
			cfg := tt.cfg
			cfg.Path = path
			p, err := Open(b, cfg, tracedClasses)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for _, size := range tt.sizes {
				got, err := p.Predict(context.Background(), rectangles(size.X, size.Y))
				if err != nil {
					t.Fatal(err)
				}
				want, err := ref.Tensor(fmt.Sprintf("%s.%dx%d", tt.name, size.Y, size.X))
				if err != nil {
					t.Fatal(err)
				}
				known, wrong := 0, 0
				for i, c := range tensors.MustCopyFlatData[uint8](want) {
					if c != data.Ignore {
						known++
						if got.Pix[i] != c {
							wrong++
						}
					}
				}
				if known < size.X*size.Y*9/10 || wrong > known/100 {
					t.Errorf("%s, %v: %d of %d pixels have another class than in PyTorch", tt.name, size, wrong, known)
				}
			}
		})
	}
}

// TestTracesRefused: a config that does not fit the outputs is told what they are.
func TestTracesRefused(t *testing.T) {
	b := backendtest.One(t)
	queries := func(change func(*configs.ONNX)) configs.ONNX {
		c := configs.ONNX{OutputLayout: configs.Queries, Output: "class_queries_logits", Masks: "masks_queries_logits"}
		change(&c)
		return c
	}
	for _, c := range []struct {
		what, file string
		cfg        configs.ONNX
		classes    int
		want       string
	}{
		{"queries as logits", "eomt", configs.ONNX{}, tracedClasses, `eomt.onnx: output class_queries_logits of shape [1 6 5]: logits must have 4 axes of layout nchw and a batch of 1; class logits of queries have 3: set eval.onnx.output_layout = "queries"`},
		{"queries as labels", "eomt", configs.ONNX{OutputLayout: "labels"}, tracedClasses, "eomt.onnx: output class_queries_logits of shape [1 6 5]: labels have the value"},
		{"logits as queries", "segformer", configs.ONNX{OutputLayout: configs.Queries}, tracedClasses, "segformer.onnx: no outputs of queries among logits [1 4 16 24]: class logits have 3 axes, mask logits 4; set eval.onnx.output and eval.onnx.masks to their names"},
		{"both exchanged", "eomt", queries(func(c *configs.ONNX) { c.Output, c.Masks = c.Masks, c.Output }), tracedClasses, "eomt.onnx: outputs of queries have shapes [1 6 16 16] and [1 6 5]: want"},
		{"masks twice", "eomt", queries(func(c *configs.ONNX) { c.Output = c.Masks }), tracedClasses, "eomt.onnx: outputs of queries have shapes [1 6 16 16] and [1 6 16 16]: want"},
		{"an output of another name", "eomt", queries(func(c *configs.ONNX) { c.Masks = "pred_masks" }), tracedClasses, `eomt.onnx: eval.onnx.masks = "pred_masks": allowed are class_queries_logits`},
		{"another size", "eomt", queries(func(c *configs.ONNX) { c.Width, c.Height = 96, 64 }), tracedClasses, "eomt.onnx: eval.onnx asks for 96×64: the file takes only 64×64"},
		{"more classes than the dataset", "eomt", configs.ONNX{OutputLayout: configs.Queries}, 3, "eomt.onnx: class 3: the dataset has 0..2; set eval.onnx.classes"},
		{"too few classes named", "segformer", configs.ONNX{Classes: []int{0, 1}}, tracedClasses, "segformer.onnx: output logits of shape [1 4 16 24]: class 2: eval.onnx.classes names only 2"},
	} {
		c.cfg.Path = traced(t, c.file)
		p, err := Open(b, c.cfg, c.classes)
		if err == nil {
			_, err = p.Predict(context.Background(), rectangles(96, 64))
			p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.what, err, c.want)
		}
	}
}
