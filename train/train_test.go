package train

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/data"
	"wsss/models"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
	"wsss/train/optim"
)

// tinyNet is a network of three convolutions, with batch normalisation and
// dropout, that gives two logit maps as MSC does.
type tinyNet struct{ classes int }

func (n tinyNet) Logits(scope *model.Scope, x *Node, training bool) []*Node {
	net := layers.Net{Training: training, TrainNorm: true}
	x = net.ConvNorm(scope, "backbone.conv1", "backbone.bn1", x, 8, 3, layers.ConvOptions{Stride: 2, Pad: 1, ReLU: true})
	x = net.ConvNorm(scope, "backbone.conv2", "backbone.bn2", x, 8, 3, layers.ConvOptions{Dilation: 2, Pad: 2, ReLU: true})
	x = net.Dropout(scope, x, 0.1)
	y := net.Conv(scope, "head", x, n.classes, 1, true, 0.01, layers.ConvOptions{})
	if !training {
		return []*Node{y}
	}
	h, w := x.Shape().Dim(1), x.Shape().Dim(2)
	return []*Node{layers.Resize(y, (h+1)/2, (w+1)/2, false), y}
}

func (tinyNet) Group(path string) models.Group {
	switch {
	case strings.Contains(path, "running"):
		return models.GroupFrozen
	case path == "/head/bias":
		return models.GroupHeadBias
	case path == "/head/weight":
		return models.GroupHead
	}
	return models.GroupBackbone
}

// squares is a dataset of coloured squares on grey: class 1 red, class 2 blue.
type squares struct{ n int }

func (squares) Name() string { return "squares" }
func (squares) Classes() data.Classes {
	return data.Classes{Names: []string{"background", "red", "blue"}}
}
func (squares) Splits() []string { return []string{"train", "val"} }
func (s squares) IDs(split string) ([]string, error) {
	n := s.n
	if split == "val" {
		n = 3
	}
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s_%02d", split, i)
	}
	return ids, nil
}
func (squares) ImagePath(id string) string { return id + ".png" }
func (squares) Load(id string, _ data.Want) (*data.Sample, error) {
	var i int
	fmt.Sscanf(id[strings.Index(id, "_")+1:], "%d", &i)
	w, h := 40+i%3*4, 36+i%2*5
	img, truth := image.NewNRGBA(image.Rect(0, 0, w, h)), data.NewLabelMap(w, h)
	for y := range h {
		for x := range w {
			c := color.NRGBA{120, uint8(120 + x%7), 120, 255}
			if x > 5+i && x < 18+i && y > 8 && y < 26 {
				truth.Set(x, y, uint8(1+i%2))
				c = []color.NRGBA{{220, 30, 30, 255}, {30, 30, 220, 255}}[i%2]
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return &data.Sample{ID: id, Image: img, Truth: truth}, nil
}

func tinyConfig() configs.Train {
	t := configs.Default().Train
	t.Iterations, t.Batch, t.Accumulate, t.Crop = 30, 3, 1, 33
	t.LR, t.LREvery, t.Input = 0.05, 1, "torch"
	t.HeadMult, t.BiasMult = 1, 2
	t.CheckpointEvery, t.Keep, t.ValEvery, t.Workers = 5, 2, 10, 2
	t.Scales = []float64{0.75, 1, 1.25}
	return t
}

func openOne(t testing.TB) compute.Backend {
	t.Helper()
	return backendtest.One(t)
}

func tinyJob(t testing.TB, dir string) Job {
	return Job{
		Name: "tiny", Dataset: squares{8}, Split: "train", ValSplit: "val", Config: tinyConfig(), Seed: 3,
		Backend: openOne(t), OutDir: dir, Net: tinyNet{3}, ConfigHash: "c",
	}
}

func TestRunLearns(t *testing.T) {
	dir := t.TempDir()
	job := tinyJob(t, dir)
	job.Config.Iterations = 60
	res, err := Run(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	if res.ValMIoU < 0.8 || res.Steps != 60 || res.From != 0 || res.Skipped {
		t.Errorf("result %+v: want mIoU >= 0.8 after 60 steps", res)
	}
	for _, name := range []string{LogFile, RunFile, "loss.svg", "lr.svg", "miou.svg", checkpoints.FileName(60), checkpoints.FileName(50)} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	again, err := Run(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Skipped || again.ValMIoU != res.ValMIoU || again.Loss != res.Loss {
		t.Errorf("second run %+v: want it skipped, with the same numbers", again)
	}
	job.ConfigHash = "other"
	if _, err := Run(context.Background(), job); !errors.Is(err, ErrOtherRun) {
		t.Errorf("error %v, want ErrOtherRun", err)
	}
}

// TestInterrupted cancels a run at several updates and compares the end with
// an undisturbed run, byte by byte.
func TestInterrupted(t *testing.T) {
	for _, c := range []struct {
		accumulate int
		ema        float64
	}{{1, 0}, {2, 0}, {1, 0.9}, {2, 0.9}} {
		t.Run(fmt.Sprintf("accumulate %d, ema %g", c.accumulate, c.ema), func(t *testing.T) {
			config := tinyConfig()
			config.Iterations, config.Accumulate, config.EMA = 12, c.accumulate, c.ema
			whole := tinyJob(t, t.TempDir())
			whole.Config = config
			if _, err := Run(context.Background(), whole); err != nil {
				t.Fatal(err)
			}
			cut := tinyJob(t, t.TempDir())
			cut.Config, cut.Config.Workers = config, 3
			interrupted(t, cut, []int{3, 4, 10})
			sameFiles(t, whole.OutDir, cut.OutDir, checkpoints.FileName(12), checkpoints.FileName(10), LogFile)
		})
	}
}

// TestEMA recomputes the moving average from the weights of every update.
func TestEMA(t *testing.T) {
	job := tinyJob(t, t.TempDir())
	job.Config.Iterations, job.Config.CheckpointEvery, job.Config.Keep, job.Config.EMA = 4, 1, 4, 0.25
	if _, err := Run(context.Background(), job); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/head/weight", "/backbone/bn1/running_mean"} {
		var want []float64
		for step := 1; step <= 4; step++ {
			c, err := checkpoints.Open(filepath.Join(job.OutDir, checkpoints.FileName(step)))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			w, shadow := flat(t, c, tensorName(path)), flat(t, c, tensorName(optim.AverageScope+path))
			if step == 1 { // the start is not saved: take it from the first average, with step 1 - 1/10
				for i, v := range shadow {
					want = append(want, (v-0.9*w[i])/0.1)
				}
			}
			k := 1 - min(0.25, float64(step)/float64(9+step))
			for i := range want {
				want[i] += k * (w[i] - want[i])
				if math.Abs(want[i]-shadow[i]) > 1e-5 {
					t.Fatalf("%s after step %d: average %g, want %g", path, step, shadow[i], want[i])
				}
			}
		}
	}
	build := func(configs.Train, int) (models.Segmenter, error) { return job.Net, nil }
	p, err := loadPredictor(job.Backend, job.OutDir, PredictOptions{}, build)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, err := checkpoints.Latest(job.OutDir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := flat(t, c, tensorName(optim.AverageScope+"/head/weight"))
	tensors.MustConstFlatData(p.net.store.GetVariable("/head/weight").MustValue(), func(got []float32) {
		for i := range got {
			if float64(got[i]) != want[i] {
				t.Fatalf("the predictor has weight %g, the average is %g", got[i], want[i])
			}
		}
	})
}

func flat(t *testing.T, c *checkpoints.Checkpoint, name string) (out []float64) {
	t.Helper()
	v, err := c.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	tensors.MustConstFlatData(v, func(values []float32) {
		for _, x := range values {
			out = append(out, float64(x))
		}
	})
	return out
}

func sameFiles(t *testing.T, a, b string, names ...string) {
	t.Helper()
	for _, name := range names {
		x, err := os.ReadFile(filepath.Join(a, name))
		if err != nil {
			t.Fatal(err)
		}
		y, err := os.ReadFile(filepath.Join(b, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(x) != string(y) {
			t.Errorf("%s differs between the two runs", name)
		}
	}
}
