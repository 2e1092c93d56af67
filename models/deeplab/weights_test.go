package deeplab

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/data/datatest"
	"wsss/models"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
	"wsss/models/pretrained"
	"wsss/models/resnet"
	"wsss/models/weights/formats"
	"wsss/models/weights/weightstest"
)

func TestRename(t *testing.T) {
	net := mustNew(t, tiny(V2, "resnet50"))
	for tensor, want := range map[string]string{
		"conv1.weight":                                   "backbone.conv1.weight",
		"layer3.22.bn3.running_var":                      "backbone.layer3.22.bn3.running_var",
		"layer1.0.downsample.1.bias":                     "backbone.layer1.0.downsample.1.bias",
		"fc.weight":                                      "fc.weight",
		"bn1.num_batches_tracked":                        "",
		"backbone.layer4.2.conv2.weight":                 "backbone.layer4.2.conv2.weight",
		"layer1.conv1.conv.weight":                       "backbone.conv1.weight",
		"base.layer1.conv1.bn.running_mean":              "backbone.bn1.running_mean",
		"module.base.layer4.block23.conv3x3.conv.weight": "backbone.layer3.22.conv2.weight",
		"scale.layer2.block1.proj.bn.weight":             "backbone.layer1.0.downsample.1.weight",
		"base.layer5.block1.shortcut.conv.weight":        "backbone.layer4.0.downsample.0.weight",
		"base.aspp.c3.bias":                              "aspp.c3.bias",
		"scale.aspp.stages.c0.weight":                    "aspp.c0.weight",
		"Scale.layer5.conv2d_list.2.weight":              "aspp.c2.weight",
		"Scale.layer4.0.conv1.weight":                    "backbone.layer4.0.conv1.weight",
		"model_state.classifier.aspp.convs.4.1.weight":   "classifier.aspp.convs.4.1.weight",
		"state_dict.module.classifier.classifier.3.bias": "classifier.classifier.3.bias",
		"state_dict.aspp.aspp2.atrous_conv.weight":       "classifier.aspp.convs.1.0.weight",
		"aspp.global_avg_pool.2.running_mean":            "classifier.aspp.convs.4.2.running_mean",
		"aspp.bn1.bias":                                  "classifier.aspp.project.1.bias",
		"decoder.conv1.weight":                           "classifier.project.0.weight",
		"decoder.last_conv.8.bias":                       "classifier.classifier.8.bias",
		"optimizer_state.state.0.momentum_buffer":        "optimizer_state.state.0.momentum_buffer",
	} {
		if got := rename(net)(tensor); got != want {
			t.Errorf("%s is %q, want %q", tensor, got, want)
		}
	}
}

func rename(net models.Segmenter) func(string) string {
	r, _ := models.As[models.WeightReader](net)
	return r.Rename
}

// exported is the network's state dict.
func exported(t *testing.T, store *model.Store) weightstest.Memory {
	t.Helper()
	out, err := pretrained.StateDict(store.RootScope())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLoad(t *testing.T) {
	net := mustNew(t, tiny(V2, "resnet50"))
	source := exported(t, hashStore(t, net))
	fresh := func() *model.Store {
		store := model.NewStore()
		makeVariables(t, store, net)
		return store
	}
	store := fresh()
	m, err := pretrained.Load(store.RootScope(), source, rename(net))
	if err != nil || len(m.Pairs) != len(source) || len(m.Missing)+len(m.Unused)+len(m.Differ) > 0 {
		t.Fatalf("%s (%v), want all of %d", m, err, len(source))
	}
	for v := range store.IterVariables() {
		want := tensors.MustCopyFlatData[float32](hashValue(v))
		if got := tensors.MustCopyFlatData[float32](v.MustValue()); !slices.Equal(got, want) {
			t.Errorf("%s differs after loading", v.Path())
		}
	}

	// Another number of classes, and no bias: the head keeps its values.
	source["aspp.c0.weight"] = tensors.FromFlatDataAndDimensions(make([]float32, 7*256*9), 7, 256, 3, 3)
	delete(source, "aspp.c1.bias")
	source["fc.weight"] = source["aspp.c0.bias"]
	m, err = pretrained.Load(fresh().RootScope(), source, rename(net))
	if err != nil || len(m.Differ) != 1 || m.Differ[0].Variable != "aspp.c0.weight" || !slices.Equal(m.Missing, []string{"aspp.c1.bias"}) || !slices.Equal(m.Unused, []string{"fc.weight"}) {
		t.Errorf("%+v (%v)", m, err)
	}
	if want := "another shape: aspp.c0.weight; not in the file: aspp.c1.bias; unused: fc.weight"; !strings.HasSuffix(m.String(), want) {
		t.Errorf("%q, want %q", m, want)
	}

	// A backbone is loaded whole or not at all.
	source["module.conv1.weight"] = source["backbone.conv1.weight"]
	if _, err = pretrained.Load(fresh().RootScope(), source, rename(net)); err == nil || !strings.Contains(err.Error(), "both for the variable backbone.conv1.weight") {
		t.Errorf("error %v", err)
	}
	delete(source, "module.conv1.weight")
	source["backbone.conv1.weight"] = source["aspp.c0.weight"]
	if _, err = pretrained.Load(fresh().RootScope(), source, rename(net)); err == nil || !strings.Contains(err.Error(), "train.network.width") {
		t.Errorf("error %v", err)
	}
	delete(source, "backbone.conv1.weight")
	if _, err = pretrained.Load(fresh().RootScope(), source, rename(net)); err == nil || !strings.Contains(err.Error(), "lacks 1 variables of the backbone: backbone.conv1.weight") {
		t.Errorf("error %v", err)
	}
}

// A training checkpoint of wsss holds kernels in the layout of the variables,
// and perhaps their moving average, which is loaded instead.
func TestLoadOwnCheckpoint(t *testing.T) {
	net := mustNew(t, tiny(V3Plus, "resnet18"))
	wanted, other := hashStore(t, net), model.NewStore()
	makeVariables(t, other, net)
	for _, prefix := range []string{"var", "opt/ema"} {
		source := weightstest.Memory{}
		for _, v := range pretrained.Variables(wanted.RootScope()) {
			source["var"+v.Path()] = other.GetVariable(v.Path()).MustValue()
			source["opt/momentum"+v.Path()] = v.MustValue()
			source[prefix+v.Path()] = v.MustValue()
		}
		source["var/#rngState"] = tensors.FromValue([]uint64{1, 2})
		fresh := model.NewStore()
		makeVariables(t, fresh, net)
		m, err := pretrained.Load(fresh.RootScope(), source, rename(net))
		if err != nil || len(m.Missing)+len(m.Differ) > 0 {
			t.Fatalf("%s: %s (%v)", prefix, m, err)
		}
		for _, v := range pretrained.Variables(fresh.RootScope()) {
			want := wanted.GetVariable(v.Path()).MustValue()
			if !slices.Equal(tensors.MustCopyFlatData[float32](v.MustValue()), tensors.MustCopyFlatData[float32](want)) {
				t.Errorf("%s: %s differs after loading", prefix, v.Path())
			}
		}
	}
}

func TestDescribe(t *testing.T) {
	cfg := tiny(V2, "resnet18")
	source := exported(t, hashStore(t, mustNew(t, cfg)))
	m, err := pretrained.Describe(cfg, 5, source)
	if err != nil || len(m.Pairs) != len(source) {
		t.Errorf("%s (%v)", m, err)
	}
	cfg.Width = 0.25
	if m, err = pretrained.Describe(cfg, 7, source); err == nil || len(m.Differ) == 0 {
		t.Errorf("%s (%v), want shapes that differ and an error", m, err)
	}
}

// pythonFiles runs gen_weights.py.
func pythonFiles(t *testing.T) string {
	t.Helper()
	python := datatest.Torch(t)
	dir := t.TempDir()
	args := []string{"testdata/gen_weights.py", dir}
	if os.Getenv("WSSS_VERIFY") != "" {
		args = append(args, "full")
	}
	if out, err := exec.Command(python, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// TestPyTorchCheckpoints loads what PyTorch and torchvision wrote and compares
// what the networks compute.
func TestPyTorchCheckpoints(t *testing.T) {
	dir := pythonFiles(t)
	b := backendtest.One(t)
	var cases []parityCase
	datatest.JSON(t, "testdata/parity.json", &cases)
	for file, c := range map[string]parityCase{"caffe.pth": cases[1], "isht7.pth": cases[1], "v3plus.pth": cases[4], "multigrid.pth": cases[14]} {
		t.Run(file, func(t *testing.T) {
			cfg := c.config()
			cfg.Init = filepath.Join(dir, file)
			n := c.network(t)
			store := model.NewStore()
			makeVariables(t, store, n)
			m, err := pretrained.Init(n, store.RootScope(), cfg)
			if err != nil || len(m.Missing)+len(m.Differ) > 0 {
				t.Fatalf("%s (%v)", m, err)
			}
			checkLogits(t, b, c, n, store)
			cfg.StrideIn = map[string]string{"1x1": "3x3", "3x3": "1x1"}[cfg.StrideIn]
			if _, err := pretrained.Init(n, store.RootScope(), cfg); (err != nil) != (file == "caffe.pth") {
				t.Errorf("stride in %s: error %v", cfg.StrideIn, err)
			}
		})
	}
	t.Run("headless.pth", func(t *testing.T) {
		store := model.NewStore()
		net := cases[1].network(t)
		makeVariables(t, store, net)
		src, err := formats.Open(filepath.Join(dir, "headless.pth"))
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		if m, err := pretrained.Load(store.RootScope(), src, rename(net)); err != nil || len(m.Missing) != 8 {
			t.Errorf("%s (%v), want the eight variables of the head missing", m, err)
		}
	})
	t.Run("torchvision.pth", func(t *testing.T) { checkTorchvision(t, dir) })
}

// checkTorchvision compares the last stage of torchvision's own ResNet.
func checkTorchvision(t *testing.T, dir string) {
	var want struct {
		Depth        int
		OutputStride int `json:"output_stride"`
		Means        []float64
		Max          float64
	}
	datatest.JSON(t, filepath.Join(dir, "torchvision.json"), &want)
	src, err := formats.Open(filepath.Join(dir, "torchvision.pth"))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	each(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		layout := resnet.Config{Depth: want.Depth, BackboneOptions: models.BackboneOptions{OutputStride: want.OutputStride, Dilation: models.DilateLate}}
		image := hashUniform("image", 97*129*3)
		for i := range image {
			image[i] *= 2
		}
		run := func() []float32 {
			return tensors.MustCopyFlatData[float32](model.MustCallOnce(b, store, func(scope *model.Scope, x *Node) *Node {
				x = layout.Stages(layers.Net{}, scope.At(models.BackboneScope), x)[3]
				return Reshape(layers.MeanImage(x), -1)
			}, tensors.FromFlatDataAndDimensions(image, 1, 97, 129, 3)))
		}
		run() // makes the variables
		m, err := pretrained.Load(store.RootScope(), src, rename(mustNew(t, tiny(V2, "resnet50"))))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(m.Unused, []string{"fc.bias", "fc.weight"}) {
			t.Errorf("unused: %v", m.Unused)
		}
		worst := 0.0
		for i, v := range run() {
			worst = max(worst, math.Abs(float64(v)-want.Means[i])/want.Max)
		}
		t.Logf("ResNet-%d: largest error %.1e of the largest feature", want.Depth, worst)
		if !(worst <= logitTolerance) {
			t.Errorf("features deviate from torchvision by %.1e, allowed %.0e", worst, logitTolerance)
		}
	})
}
