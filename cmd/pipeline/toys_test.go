package pipeline_test

import (
	"context"
	"image"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/data"
	"wsss/data/annotation"
	"wsss/eval"
	"wsss/gen"
	"wsss/models"
	"wsss/models/layers"
	"wsss/models/weights"
	"wsss/train/optim"
)

// One file adds a kind of each: what registers itself is read by configs, checked,
// and part of a whole run.
func init() {
	data.Register("toy", func(o data.Options) (data.Dataset, error) {
		o.Extra = map[string]any{"train": int64(4), "val": int64(2), "min_size": int64(40), "max_size": int64(48)}
		ds, err := data.Open("scenes", o)
		return toyData{ds}, err
	})
	annotation.Register(annotation.Format{
		Name: "toy", What: "files that end in .toy",
		Signs: map[string]func([]byte) bool{".toy": func(head []byte) bool { return strings.HasPrefix(string(head), "toy") }},
		Read:  func(*annotation.Source, []string, *annotation.Builder) error { return nil },
	})
	gen.Register("toy", gen.Spec{Doc: "the middle of a photo", Weak: []data.WeakKind{data.WeakNone},
		New: func(env gen.Env) (gen.Method, error) {
			return toyMethod{}, configs.Decode("gen.options", env.Gen.Options, &struct{}{})
		}})
	gen.RegisterRule("toy", func(a, b *gen.Ranked) int { return a.Area - b.Area })
	models.RegisterBackbone("toy", func(models.BackboneOptions) (models.Backbone, error) { return toyBackbone{}, nil })
	models.RegisterArchitecture("toy", models.Architecture{OutputStrides: []int{16}, New: func(t configs.Train, classes int) (models.Segmenter, error) {
		b, err := models.BackboneByName("train.network.backbone", t.Backbone, models.BackboneOptions{OutputStride: t.OutputStride})
		return toyNet{b, classes}, err
	}})
	optim.Register("toy", func(s optim.Step) *Node { return Sub(s.Weight, Mul(Sign(s.Grad), s.Rate)) })
	eval.RegisterRow("toy", eval.RowKind{
		Check: func(section string, options map[string]any) error {
			return configs.Decode(section, options, &struct {
				Class int `toml:"class"`
			}{})
		},
		Open: func(env eval.RowEnv) (models.Predictor, error) {
			var o struct {
				Class int `toml:"class"`
			}
			return &toyRow{&o.Class}, configs.Decode(env.Section, env.Options, &o)
		},
	})
}

type toyData struct{ data.Dataset }

func (toyData) Name() string { return "toy" }

type toyMethod struct{}

func (toyMethod) Generate(_ context.Context, s *data.Sample) ([]gen.Mask, error) {
	w, h := s.Image.Rect.Dx(), s.Image.Rect.Dy()
	bits := make([]uint8, w*h)
	for y := h / 4; y < h*3/4; y++ {
		for x := w / 4; x < w*3/4; x++ {
			bits[y*w+x] = 1
		}
	}
	return []gen.Mask{{Class: 1, Bits: data.EncodeRLE(bits, w, h), Score: 1}}, nil
}

type toyBackbone struct{}

func (toyBackbone) Stages(net layers.Net, scope *model.Scope, x *Node) (out [models.Stages]*Node) {
	x = net.ConvNorm(scope, "stem", "norm", x, 4, 3, layers.ConvOptions{Stride: 4, Pad: 1, ReLU: true})
	for i := range out {
		stride := 1
		if i == 1 || i == 2 {
			stride = 2
		}
		x = net.ConvNorm(scope, "conv"+string(rune('0'+i)), "norm"+string(rune('0'+i)), x, 4, 3, layers.ConvOptions{Stride: stride, Pad: 1, ReLU: true})
		out[i] = x
	}
	return out
}
func (toyBackbone) IsNorm(path string) bool                           { return strings.HasPrefix(path, "norm") }
func (toyBackbone) Stage(string) int                                  { return 0 }
func (toyBackbone) Rename(tensor string) (string, bool)               { return tensor, false }
func (toyBackbone) CheckWeights(weights.Mapping, configs.Train) error { return nil }

type toyNet struct {
	backbone models.Backbone
	classes  int
}

func (n toyNet) Logits(scope *model.Scope, images *Node, training bool) []*Node {
	net := layers.Net{Training: training, TrainNorm: true}
	x := n.backbone.Stages(net, scope.At(models.BackboneScope), images)[3]
	return []*Node{net.Conv(scope, "head", x, n.classes, 1, true, 0.1, layers.ConvOptions{})}
}

func (n toyNet) Group(path string) models.Group {
	switch {
	case strings.Contains(path, "/running_"):
		return models.GroupFrozen
	case strings.HasPrefix(path, "/"+models.BackboneScope+"/"):
		return models.GroupBackbone
	}
	return models.GroupHead
}

type toyRow struct{ class *int }

func (r toyRow) Predict(_ context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	m := data.NewLabelMap(img.Rect.Dx(), img.Rect.Dy())
	for i := range m.Pix {
		m.Pix[i] = uint8(*r.class)
	}
	return m, nil
}

func toys(t *testing.T, more ...string) (configs.Config, error) {
	dir := t.TempDir()
	return configs.Load("", append([]string{
		"out=" + filepath.Join(dir, "run"), "data.kind=toy", "data.root=" + filepath.Join(dir, "data"), "data.train_split=train", "data.val_split=val", "backend=go",
		"gen.method=toy", "gen.weak=none", "gen.fuse.rule=toy",
		"train.network.arch=toy", "train.network.backbone=toy", "train.network.output_stride=16", "train.network.msc=false", "train.network.batch_norm=train",
		"train.optimizer.name=toy", "train.augment.crop=33", "train.iterations=2", "train.batch=2", "train.accumulate=1", "train.checkpoint.every=2",
		`eval.row=[{name="toy row", kind="toy", options={class=0}}]`,
	}, more...))
}

// TestToys runs a toy of every kind from images to the report.
func TestToys(t *testing.T) {
	cfg, err := toys(t)
	if err != nil {
		t.Fatal(err)
	}
	run, err := pipeline.Open(cfg, pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	rows, err := run.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range rows {
		names = append(names, r.Name)
	}
	if want := []string{"pseudo-labels", "trained on pseudo-labels", "toy row"}; !slices.Equal(names, want) {
		t.Errorf("rows %q, want %q", names, want)
	}
	if !slices.ContainsFunc(annotation.Formats(), func(f annotation.Format) bool { return f.Name == "toy" }) {
		t.Error("the annotation format is not listed")
	}
}

// A toy's name is among those that an error allows, and its options are its own.
func TestToysAreAllowed(t *testing.T) {
	for set, want := range map[string]string{
		"gen.fuse.rule=toys":            "uncertain, toy; did you mean toy?",
		"train.network.arch=toys":       "toy; did you mean toy?",
		"train.network.backbone=toys":   "toy; did you mean toy?",
		"train.optimizer.name=toys":     "sgd, adamw, toy; did you mean toy?",
		`eval.row=[{name="a",kind=""}]`: "toy",
		"train.network.output_stride=8": "allowed is 16",
	} {
		if _, err := toys(t, set); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", set, err, want)
		}
	}
	for set, want := range map[string]string{
		"data.kind=toys":  "toy",
		"gen.method=toys": "toy",
		`eval.row=[{name="a",kind="toy",options={clas=1}}]`:                    "[eval.row[0].options]: unknown key clas: allowed are class; did you mean class?",
		`eval.row=[{name="a",kind="onnx",options={path="x.onnx",layout="n"}}]`: `eval.row[0].options.layout = "n": allowed is one of "", nchw, nhwc`,
	} {
		cfg, err := toys(t, set)
		if err != nil {
			t.Fatal(err)
		}
		run, err := pipeline.Open(cfg, pipeline.Options{})
		if err == nil {
			_, err = run.All(t.Context())
			run.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", set, err, want)
		}
	}
}
