package camnet

import (
	"cmp"
	"context"
	"image"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/data/imageproc"
	"wsss/models"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
	"wsss/models/vgg"
	"wsss/models/weights"
	"wsss/models/weights/formats"
	"wsss/models/weights/weightstest"
	"wsss/models/wrn"
)

// backboneGrads are the gradients that gen_backbones.py keeps.
var backboneGrads = map[string][]string{
	wrn.Name: {"b3_1.conv_branch2a.weight", "b5.conv_branch1.weight", "b6.conv_branch2b1.weight", "b4.bn_branch2a.weight", "bn7.bias", "fc8.weight"},
	vgg.Name: {"conv3_2.weight", "conv4_3.bias", "conv5_1.weight", "fc6.weight", "fc7.bias", "fc8.weight"},
}

// TestBackbonesParity: networks on wide ResNet-38 and VGG-16, told from files with
// psa's names, have PyTorch's logits, maps and gradients within 1e-4.
func TestBackbonesParity(t *testing.T) {
	f := weightstest.Open(t, "testdata/backbones.pth")
	for _, kind := range []string{wrn.Name, vgg.Name} {
		eachBackend(t, func(t *testing.T, b compute.Backend) {
			n, store, _, err := Open("testdata/" + kind + "_cam.pth")
			if err != nil {
				t.Fatal(err)
			}
			if c := n.Config(); c.Backbone != kind || c.Width != 1.0/32 || c.Classes != 3 || n.Stride() != 8 {
				t.Fatalf("detected %+v, stride %d", c, n.Stride())
			}
			// All of it learns, with statistics that stay; nothing is dropped.
			n.cfg.BatchNorm, n.cfg.CutAfter = Running, 0
			o := models.BackboneOptions{Width: n.cfg.Width, OutputStride: 8, Dilation: models.DilatePublished, NoDropout: true}
			if n.backbone, err = models.BackboneByName("", kind, o); err != nil {
				t.Fatal(err)
			}
			exec, err := model.NewExec(b, store, func(scope *model.Scope, in []*Node) []*Node {
				g := in[0].Graph()
				store.SetTraining(g, true)
				logits := n.Logits(scope, in[0], true)
				zero := Zeros(g, logits.Shape())
				soft := func(x *Node) *Node { return Sub(Log1P(Exp(Neg(Abs(x)))), Min(x, zero)) }
				loss := ReduceAllMean(Add(Mul(soft(logits), in[1]), Mul(soft(Neg(logits)), OneMinus(in[1]))))
				var at []*Node
				for _, name := range backboneGrads[kind] {
					path := "/" + strings.ReplaceAll(n.rename(name), ".", "/")
					at = append(at, store.GetVariable(path).NodeValue(g))
				}
				return append([]*Node{logits, n.Maps(nil, scope, in[0])}, Gradient(loss, at...)...)
			})
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			out, err := exec.Call(weightstest.Tensor(t, f, "images"), weightstest.Tensor(t, f, "targets"))
			if err != nil {
				t.Fatal(err)
			}
			for i, name := range append([]string{"logits", "maps"}, backboneGrads[kind]...) {
				got, from := out[i], kind+"/"+name
				if i >= 2 {
					from = kind + "/grad/" + name
					if got, err = layers.ToTorch(got); err != nil {
						t.Fatal(err)
					}
				}
				if d := differ(t, got, weightstest.Tensor(t, f, from)); !(d <= 1e-4) {
					t.Errorf("%s differs by %.1e of its largest value", from, d)
				} else {
					t.Logf("%s: %.1e", from, d)
				}
			}
		})
	}
}

// TestBackbonesCanvas: images that share a canvas get the maps that they have
// alone.
func TestBackbonesCanvas(t *testing.T) {
	img := imageproc.FromImage(image.NewRGBA(image.Rect(0, 0, 45, 38)))
	for i := range img.Pix {
		img.Pix[i] = byte(i * 37 % 251)
	}
	for _, kind := range []string{wrn.Name, vgg.Name} {
		eachBackend(t, func(t *testing.T, b compute.Backend) {
			var maps [2]*Map
			for i := range maps {
				n, store, _, err := Open("testdata/" + kind + "_cam.pth")
				if err != nil {
					t.Fatal(err)
				}
				m := NewMapper(b, n, store, MapOptions{Scales: []float64{1}, Flip: true, Bucket: 1, MaxSide: 512, Shapes: 1})
				m.canvas = i == 1
				all, err := m.Maps(context.Background(), img)
				if err != nil {
					t.Fatal(err)
				}
				maps[i] = all[0]
				m.Close()
			}
			a, c := maps[0], maps[1]
			if a.W != 6 || a.H != 5 || c.W != a.W || c.H != a.H {
				t.Fatalf("maps of %d×%d and %d×%d", a.W, a.H, c.W, c.H)
			}
			got, want := tensors.FromFlatDataAndDimensions(c.Values, len(c.Values)), tensors.FromFlatDataAndDimensions(a.Values, len(a.Values))
			if d := differ(t, got, want); !(d <= 1e-4) {
				t.Errorf("%s: maps on a canvas differ by %.1e", kind, d)
			}
		})
	}
}

// TestBackbonesSave: a saved network is told by its metadata; its groups are what
// psa trains.
func TestBackbonesSave(t *testing.T) {
	for kind, want := range map[string][2][]string{ // frozen, learning
		wrn.Name: {{"conv1a/weight", "b2_2/conv_branch2b1/weight", "b5/bn_branch2a/weight", "bn7/bias"}, {"b3/conv_branch1/weight", "b7/conv_branch2b2/weight"}},
		vgg.Name: {{"conv1_1/weight", "conv2_2/bias"}, {"conv3_1/weight", "fc7/bias"}},
	} {
		n, store, _, err := Open("testdata/" + kind + "_cam.pth")
		if err != nil {
			t.Fatal(err)
		}
		path, names := filepath.Join(t.TempDir(), "c.safetensors"), []string{"background", "a", "b", "c"}
		if err := n.Save(path, store.RootScope(), names); err != nil {
			t.Fatal(err)
		}
		again, other, classes, err := Open(path)
		if err != nil || again.Config() != n.Config() || !slices.Equal(classes, names) {
			t.Fatalf("%v: %+v %v", err, again, classes)
		}
		for v := range store.IterVariables() {
			if w := other.GetVariable(v.Path()); w == nil || !v.MustValue().Equal(w.MustValue()) {
				t.Errorf("%s differs", v.Path())
			}
		}
		psa, err := New(Config{Backbone: kind, Width: 1.0 / 32, StrideIn: "3x3", BatchNorm: Frozen, CutAfter: 2, Classes: 3})
		if err != nil {
			t.Fatal(err)
		}
		for i, group := range []models.Group{models.GroupFrozen, models.GroupBackbone} {
			for _, path := range want[i] {
				if got := psa.Group("/backbone/" + path); got != group {
					t.Errorf("%s %s: group %d, want %d", kind, path, got, group)
				}
			}
		}
	}
}

// TestCaffeInput: psa's VGG-16 is given what Caffe's networks are: B, G, R of 0 to
// 255 less the mean. A network that wsss wrote says so itself; a start for another
// input is refused.
func TestCaffeInput(t *testing.T) {
	n, store, _, err := Open("testdata/vgg16_cam.pth")
	if err != nil {
		t.Fatal(err)
	}
	if n.Config().Input != "caffe" {
		t.Fatalf("psa's file: input %q", n.Config().Input)
	}
	img := imageproc.NewRGB(24, 16)
	for i := range img.Pix {
		img.Pix[i] = byte(i * 37 % 251)
	}
	pixels := make([]float32, len(img.Pix))
	mean := [3]float32{104.008, 116.669, 122.675}
	for i := range pixels {
		pixels[i] = float32(img.Pix[i-i%3+2-i%3]) - mean[i%3]
	}
	b := backendtest.One(t)
	exec, err := model.NewExec1(b, store, func(scope *model.Scope, x *Node) *Node { return n.Maps(nil, scope, x) })
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	want, err := exec.Call1(tensors.FromFlatDataAndDimensions(pixels, 1, img.H, img.W, 3))
	if err != nil {
		t.Fatal(err)
	}
	m := NewMapper(b, n, store, MapOptions{Scales: []float64{1}, Bucket: 1, MaxSide: 512, Shapes: 1})
	got, err := m.Maps(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	if d := differ(t, tensors.FromFlatDataAndDimensions(got[0].Values, want.Shape().Dimensions...), want); !(d <= 1e-5) {
		t.Errorf("maps differ by %.1e", d)
	}
	own := filepath.Join(t.TempDir(), "own.safetensors")
	cfg := n.Config()
	cfg.Input = ""
	torch, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := torch.Save(own, store.RootScope(), []string{"background", "a", "b", "c"}); err != nil {
		t.Fatal(err)
	}
	for path, needs := range map[string]string{"testdata/vgg16_cam.pth": "caffe", own: "torch", "testdata/wrn38_cam.pth": ""} {
		src, err := formats.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, input := range []string{"", "torch", "caffe"} {
			cfg.Input = input
			other, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			err = other.CheckInit(src, weights.Mapping{})
			if fits := needs == "" || needs == cmp.Or(input, "torch"); fits != (err == nil) || err != nil && !strings.Contains(err.Error(), "classifier.network.input = \""+needs) {
				t.Errorf("%s with input %q: %v", path, input, err)
			}
		}
		src.Close()
	}
	m.Close()
}
