package export

import (
	"context"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints"
	"wsss/checkpoints/safetensors"
	"wsss/configs"
	"wsss/data"
	_ "wsss/data/scenes" // the dataset
	"wsss/models/backend"
	"wsss/models/backend/backendtest"
	"wsss/models/onnximport/ortref"
	"wsss/models/pretrained"
	"wsss/train"
)

// networks are small versions of what can be exported.
var networks = map[string]func(*configs.Train){
	"v2 msc caffe":     func(t *configs.Train) { t.Backbone, t.EMA = "resnet50", 0.5 },
	"v2 msc by factor": func(t *configs.Train) { t.Backbone, t.MSCGrid = "resnet18", "factor" },
	"v3+ msc": func(t *configs.Train) {
		t.Arch, t.Backbone, t.OutputStride, t.StrideIn, t.Input = "deeplab-v3plus-multigrid", "resnet18", 16, "3x3", "torch"
	},
	"v2 os16": func(t *configs.Train) {
		t.Backbone, t.MSC, t.OutputStride, t.StrideIn, t.Input = "resnet18", false, 16, "3x3", "torch"
	},
	"v3+": func(t *configs.Train) {
		t.Arch, t.Backbone, t.MSC, t.OutputStride, t.StrideIn, t.Input = "deeplab-v3plus", "resnet50", false, 16, "3x3", "torch"
	},
	"v3+ multi-grid": func(t *configs.Train) {
		t.Arch, t.Backbone, t.MSC, t.OutputStride, t.StrideIn, t.Input = "deeplab-v3plus-multigrid", "resnet18", false, 16, "3x3", "torch"
	},
	"v1 largefov": func(t *configs.Train) {
		t.Arch, t.Backbone, t.MSC, t.StrideIn = "deeplab-v1", "vgg16", false, "3x3"
	},
	"v2 wide": func(t *configs.Train) {
		t.Backbone, t.MSC, t.StrideIn, t.Input = "wrn38", false, "3x3", "torch"
	},
	"v3+ efficientnet": func(t *configs.Train) {
		t.Arch, t.Backbone, t.Width, t.MSC, t.OutputStride, t.StrideIn, t.Input = "deeplab-v3plus", "efficientnet-lite0", 0.25, false, 16, "3x3", "tf"
	},
	"v2 efficientnet os8 clip": func(t *configs.Train) {
		t.Backbone, t.Width, t.MSC, t.StrideIn, t.Input = "efficientnet-lite2", 0.25, false, "3x3", "clip"
	},
	"mask2former swin": func(t *configs.Train) {
		t.Arch, t.Backbone, t.Width, t.MSC, t.OutputStride, t.StrideIn, t.Input, t.Optimizer = "mask2former", "swin_t", 0.09, false, 32, "3x3", "torch", "adamw"
		t.Mask2Former = configs.Mask2Former{Queries: 8, Layers: 4, EncoderLayers: 2, Channels: 32, Heads: 2, FeedForward: 32, EncoderFeedForward: 32, Points: 64}
	},
	"mask2former resnet": func(t *configs.Train) {
		t.Arch, t.Backbone, t.MSC, t.OutputStride, t.StrideIn, t.Input, t.EMA = "mask2former", "resnet50", false, 32, "3x3", "torch", 0.5
		t.Mask2Former = configs.Mask2Former{Queries: 8, Layers: 2, EncoderLayers: 1, Channels: 32, Heads: 2, FeedForward: 32, EncoderFeedForward: 32, Points: 64}
	},
	"vit linear": func(t *configs.Train) {
		t.Arch, t.Backbone, t.Width, t.MSC, t.StrideIn, t.Input, t.Optimizer, t.Crop = "vit-linear", "vit-t16", 0.3, false, "3x3", "torch", "adamw", 64
	},
	"vit linear dinov2": func(t *configs.Train) {
		t.Arch, t.Backbone, t.Width, t.MSC, t.StrideIn, t.Input, t.Optimizer, t.EMA = "vit-linear", "dinov2-s14-reg", 0.16, false, "3x3", "torch", "adamw", 0.5
	},
	"vit mask clip": func(t *configs.Train) {
		t.Arch, t.Backbone, t.Width, t.MSC, t.StrideIn, t.Input, t.Optimizer = "vit-mask", "clip-b16", 0.08, false, "3x3", "clip", "adamw"
	},
	"vit mask": func(t *configs.Train) {
		t.Arch, t.Backbone, t.Width, t.MSC, t.StrideIn, t.Input, t.Optimizer, t.Frozen = "vit-mask", "dinov2-s14", 0.16, false, "3x3", "torch", "adamw", true
	},
	"v3+ os8": func(t *configs.Train) {
		t.Arch, t.Backbone, t.MSC, t.StrideIn, t.Input = "deeplab-v3plus", "resnet18", false, "3x3", "torch"
	},
}

// trained makes a checkpoint of a few updates, so that statistics and average
// differ from their start.
func trained(t *testing.T, b compute.Backend, change func(*configs.Train)) string {
	t.Helper()
	ds, err := data.Open("scenes", data.Options{Root: filepath.Join(t.TempDir(), "scenes"), Seed: 1,
		Extra: map[string]any{"train": 4, "val": 1, "min_size": 48, "max_size": 56}})
	if err != nil {
		t.Fatal(err)
	}
	c := configs.Default().Train
	c.Width, c.BatchNorm, c.BNMomentum = 0.0625, "train", 0.3
	c.Iterations, c.Batch, c.Accumulate, c.Crop, c.LR = 3, 2, 1, 49, 0.01
	change(&c)
	res, err := train.Run(context.Background(), train.Job{Dataset: ds, Split: "train", Config: c, Seed: 5, Backend: b, OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return res.Checkpoint
}

func openOne(t *testing.T) compute.Backend {
	return backendtest.One(t)
}

// TestONNX compares the exported graph, run by ONNX Runtime, with the network
// it came from, at sizes unlike the training crop: to 1e-4 of the largest logit.
func TestONNX(t *testing.T) {
	if backend.FindORT() == "" {
		t.Skip("ONNX Runtime not found: see wsss doctor")
	}
	b := openOne(t)
	for name, change := range networks {
		t.Run(name, func(t *testing.T) {
			checkpoint := trained(t, b, change)
			path := filepath.Join(t.TempDir(), "net.onnx")
			if err := ONNX(checkpoint, path, nil); err != nil {
				t.Fatal(err)
			}
			p, err := train.LoadPredictor(b, checkpoint, train.PredictOptions{Bucket: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			s, err := ortref.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for _, size := range []image.Point{{49, 49}, {70, 57}, {64, 96}} {
				compare(t, p, s, size)
			}
		})
	}
}

func compare(t *testing.T, p *train.Predictor, s *ortref.Session, size image.Point) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, uint64(size.X)))
	w, h := size.X, size.Y
	imgs := []*image.NRGBA{image.NewNRGBA(image.Rect(0, 0, w, h)), image.NewNRGBA(image.Rect(0, 0, w, h))}
	pixels := make([]float32, 2*3*h*w)
	for n, img := range imgs {
		for i := range w * h {
			for c := range 3 {
				v := uint8(r.IntN(256))
				img.Pix[4*i+c] = v
				pixels[(n*3+c)*w*h+i] = float32(v)
			}
			img.Pix[4*i+3] = 255
		}
	}
	out, err := s.Run(map[string]*tensors.Tensor{"image": tensors.FromFlatDataAndDimensions(pixels, 2, 3, h, w)})
	if err != nil {
		t.Fatal(err)
	}
	classes := len(p.Meta.Model.Classes)
	if got := fmt.Sprint(out["logits"].Shape().Dimensions, out["labels"].Shape().Dimensions); got != fmt.Sprint([]int{2, classes, h, w}, []int{2, h, w}) {
		t.Fatalf("outputs of shape %s", got)
	}
	for n, img := range imgs {
		worst, largest := 0.0, 0.0
		tensors.MustConstFlatData(out["logits"], func(got []float32) {
			err = p.Scores(context.Background(), img, func(i int, z []float32) {
				for c, want := range z {
					largest = max(largest, math.Abs(float64(want)))
					worst = max(worst, math.Abs(float64(want-got[(n*classes+c)*w*h+i])))
				}
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		if largest == 0 || worst > 1e-4*largest {
			t.Errorf("image %d of %v: logits differ by %g, the largest is %g", n, size, worst, largest)
		}
	}
}

// TestSafetensors loads exported weights back into a new network: nothing is
// missing, nothing left over, and the values are the same.
func TestSafetensors(t *testing.T) {
	for _, name := range []string{"v2 msc caffe", "vit mask", "vit linear dinov2", "mask2former swin"} {
		t.Run(name, func(t *testing.T) { checkSafetensors(t, name) })
	}
}

func checkSafetensors(t *testing.T, name string) {
	b := openOne(t)
	checkpoint := trained(t, b, networks[name])
	path := filepath.Join(t.TempDir(), "net.safetensors")
	if err := Safetensors(filepath.Dir(checkpoint), path, nil); err != nil {
		t.Fatal(err)
	}
	p, err := train.LoadPredictor(b, checkpoint, train.PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	src, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if m := src.Metadata(); m["arch"] != p.Meta.Model.Train.Arch || !strings.HasPrefix(m["classes"], "background,") {
		t.Errorf("metadata %v", m)
	}
	kernel := map[string]struct{ name, shape string }{
		"v2 msc caffe":      {"backbone.conv1.weight", "[4 3 7 7]"},
		"vit mask":          {"backbone.patch_embed.proj.weight", "[64 3 14 14]"},
		"vit linear dinov2": {"backbone.blocks.11.mlp.fc1.weight", "[256 64]"},
		"mask2former swin":  {"sem_seg_head.pixel_decoder.layer_1.weight", "[32 32 3 3]"},
	}[name]
	shape, err := src.Shape(kernel.name)
	if err != nil || fmt.Sprint(shape) != kernel.shape {
		t.Errorf("%s %v, %v", kernel.name, shape, err)
	}
	store := model.NewStore()
	p.Variables(func(path string, value *tensors.Tensor) {
		store.VariableWithValue(path, tensors.FromShape(value.Shape()))
	})
	m, err := pretrained.Load(store.RootScope(), src, nil)
	if err != nil || len(m.Missing)+len(m.Unused)+len(m.Differ) > 0 {
		t.Fatalf("mapping %v, %v", m, err)
	}
	p.Variables(func(path string, value *tensors.Tensor) {
		if !value.Equal(store.GetVariable(path).MustValue()) {
			t.Errorf("%s changed on its way through the file", path)
		}
	})
}

func TestErrors(t *testing.T) {
	for name, f := range map[string]func(string, string, func(string)) error{"safetensors": Safetensors, "onnx": ONNX} {
		if err := f(t.TempDir(), filepath.Join(t.TempDir(), "x"), nil); err == nil {
			t.Errorf("%s: exported an empty folder", name)
		}
	}
}

// TestHeaderOfAnotherNetwork: a header that names more classes than the tensors
// have, or another backbone, is one line, here and where a network predicts.
func TestHeaderOfAnotherNetwork(t *testing.T) {
	b := openOne(t)
	c, err := checkpoints.Open(trained(t, b, networks["v3+ os8"]))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	values := map[string]*tensors.Tensor{}
	for _, name := range c.Names() {
		if values[name], err = c.Tensor(name); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(*checkpoints.Model){
		"classes":  func(m *checkpoints.Model) { m.Classes = append(m.Classes, "one more") },
		"backbone": func(m *checkpoints.Model) { m.Train.Backbone = "resnet50" },
	} {
		m := c.Meta
		change(&m.Model)
		path, err := checkpoints.Save(t.TempDir(), m, values)
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "x.onnx")
		_, predictErr := train.LoadPredictor(b, path, train.PredictOptions{})
		for use, err := range map[string]error{"export": ONNX(path, out, nil), "predict": predictErr} {
			if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), path) {
				t.Errorf("%s with another %s: %v, want one line with the file", use, name, err)
			}
		}
	}
}
