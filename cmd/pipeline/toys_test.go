package pipeline_test

import (
	"context"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/data"
	"wsss/data/annotation"
	"wsss/data/datatest"
	"wsss/data/imageproc"
	"wsss/eval"
	"wsss/gen"
	"wsss/gen/naming"
	"wsss/models"
	"wsss/models/foundation/blip2"
	"wsss/models/foundation/load"
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
	load.Register("toy", load.Family{Roles: []string{"words"}, Open: func(_ compute.Backend, files map[string]string, _ load.Options) (any, load.Closer, error) {
		raw, err := os.ReadFile(files["words"])
		return toyWords(raw), nil, err
	}})
	naming.RegisterNamer("toy", naming.NamerKind{Check: checkToyWords, Open: func(o naming.NamerOptions, _ compute.Backend, _ naming.Place) (blip2.Scorer, load.Closer, error) {
		return openToyWords("gen.options.namer_options", o.Own)
	}})
	naming.RegisterTagger("toy", naming.TaggerKind{
		Check: func(o naming.TagOptions) error { return checkToyWords("gen.options.tag_options", o.Own) },
		Open: func(o naming.TagOptions, env gen.Env, _ naming.Place) (naming.Tagger, map[string]string, error) {
			w, _, err := openToyWords("gen.options.tag_options", o.Own)
			return toyTagger{w, env.Classes}, nil, err
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

// toyWords is a foundation model: all it knows is one word.
type toyWords string

func (w toyWords) Scores(_ context.Context, _ *imageproc.RGB, texts []string) ([]float32, error) {
	scores := make([]float32, len(texts))
	if i := slices.Index(texts, string(w)); i >= 0 {
		scores[i] = 1
	}
	return scores, nil
}

func checkToyWords(section string, own map[string]any) error {
	return configs.Decode(section, own, &struct {
		Words string `toml:"words"`
	}{})
}

func openToyWords(section string, own map[string]any) (toyWords, load.Closer, error) {
	var o struct {
		Words string `toml:"words"`
	}
	if err := configs.Decode(section, own, &o); err != nil {
		return "", nil, err
	}
	return load.Model[toyWords](nil, "toy", load.Choice{Files: map[string]string{"words": o.Words}}, load.Options{})
}

type toyTagger struct {
	words   toyWords
	classes data.Classes
}

func (t toyTagger) Classes(context.Context, *imageproc.RGB) ([]int, error) {
	return []int{t.classes.Index(string(t.words))}, nil
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

// TestToyModels: a toy of a foundation family names masks, and images, in the
// methods that ask for a namer and for a tagger.
func TestToyModels(t *testing.T) {
	words := filepath.Join(t.TempDir(), "words.txt")
	datatest.Write(t, words, "ball")
	own := `{words="` + words + `"}`
	for _, set := range [][]string{
		{"gen.method=sam-auto", "gen.options.namer=toy", "gen.options.namer_options=" + own, "gen.options.background=[]", "gen.options.auto.points_per_side=2"},
		{"gen.method=grounded-sam", "gen.options.gdino=tiny-gdino", "gen.options.tag_by=toy", "gen.options.tag_options=" + own},
	} {
		cfg, err := toys(t, append(set, "gen.options.sam=tiny-sam")...)
		if err != nil {
			t.Fatal(err)
		}
		run, err := pipeline.Open(cfg, pipeline.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := run.Gen(t.Context(), pipeline.GenOptions{}); err != nil {
			t.Errorf("%v: %v", set, err)
		}
		labels, err := filepath.Glob(run.Path("gen", "*.png"))
		if err != nil || len(labels) != 4 {
			t.Errorf("%v: labels %v, %v", set, labels, err)
		}
		run.Close()
		for _, path := range labels {
			m, err := data.ReadLabelMap(path)
			if err != nil {
				t.Fatal(err)
			}
			for class, seen := range m.Present() {
				if seen && class != 0 && class != data.Ignore && class != run.Dataset.Classes().Index("ball") {
					t.Errorf("%v: %s has class %d, which the toy never names", set, path, class)
				}
			}
		}
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
		`gen={method="sam-auto",weak="none",options={sam="tiny-sam",namer="toys"}}`:                            `gen.options.namer = "toys": allowed are blip2, clip, toy`,
		`gen={method="grounded-sam",weak="none",options={sam="tiny-sam",tag_by="toys"}}`:                       `gen.options.tag_by = "toys": allowed are classifier, clip, ram, toy`,
		`gen={method="grounded-sam",weak="none",options={sam="tiny-sam",tag_by="toy",tag_options={word="x"}}}`: "[gen.options.tag_options]: unknown key word: allowed are words",
		`eval.row=[{name="a",kind="toy",options={clas=1}}]`:                                                    "[eval.row[0].options]: unknown key clas: allowed are class; did you mean class?",
		`eval.row=[{name="a",kind="onnx",options={path="x.onnx",layout="n"}}]`:                                 `eval.row[0].options.layout = "n": allowed is one of "", nchw, nhwc`,
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
