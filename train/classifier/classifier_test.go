package classifier

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/configs"
	"wsss/data"
	"wsss/data/augment"
	"wsss/data/datatest"
	"wsss/data/scenes"
	"wsss/models/backend/backendtest"
	"wsss/models/camnet"
	"wsss/models/weights/formats"
	"wsss/train/multilabel"
	"wsss/train/runlog"
)

const fixtures = "../../models/camnet/testdata/"

func open(t testing.TB, spec string) compute.Backend {
	t.Helper()
	return backendtest.Open(t, spec)
}

// TestLossesEqualPyTorch: five SGD updates by IRN's optimiser, and with real
// momentum, from a file with IRN's names; losses within 1e-3.
func TestLossesEqualPyTorch(t *testing.T) {
	var want struct {
		LR     float64
		Steps  int
		Losses map[string][]float64
	}
	datatest.JSON(t, fixtures+"parity.json", &want)
	f, err := formats.Open(fixtures + "parity.pth")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, spec := range backendtest.Names(t) {
		t.Run(spec, func(t *testing.T) {
			b := open(t, spec)
			known := tensors.FromValue([][]float32{{1, 1, 1}, {1, 1, 1}})
			images, errI := f.Tensor("images")
			targets, errT := f.Tensor("targets")
			if err := errors.Join(errI, errT); err != nil {
				t.Fatal(err)
			}
			worst := 0.0
			for momentum, losses := range want.Losses {
				if spec != "go" && momentum != "0.9" {
					continue // compiling takes long there, and the graph is the same
				}
				cfg := configs.Default().Classifier
				cfg.Width, cfg.LR, cfg.Init = 1.0/32, want.LR, fixtures+"res50_cam.pth"
				if cfg.Momentum, err = strconv.ParseFloat(momentum, 64); err != nil {
					t.Fatal(err)
				}
				n, err := newNetwork(cfg, 3, 1, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer n.Close()
				update, forward, err := multilabel.Compile(b, n, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer update.Finalize()
				defer forward.Finalize()
				batch, err := update.Place(images, targets, known)
				if err != nil {
					t.Fatal(err)
				}
				for step, w := range losses {
					got, _, err := update.Run(batch, n.Scalars(step, want.Steps, 1))
					if err != nil {
						t.Fatal(err)
					}
					worst = max(worst, math.Abs(got-w)/w)
					if math.Abs(got-w) > 1e-3*w {
						t.Errorf("momentum %s, update %d: loss %.6g, PyTorch %.6g", momentum, step, got, w)
					}
				}
			}
			t.Logf("losses differ by at most %.1e", worst)
		})
	}
}

func job(t testing.TB, root string) Job {
	t.Helper()
	cfg := configs.Default().Classifier
	cfg.Backbone, cfg.Width, cfg.BatchNorm, cfg.CutAfter = "resnet18", 0.125, camnet.Train, 0
	cfg.Epochs, cfg.Batch, cfg.Optimizer, cfg.LR, cfg.HeadMult = 2, 8, "adamw", 3e-3, 1
	cfg.Long, cfg.Crop = []int{32, 48}, 48
	ds, err := data.Open("scenes", data.Options{Root: root, Extra: map[string]any{"train": 24, "val": 12, "min_size": 40, "max_size": 56, "classes": 3}})
	if err != nil {
		t.Fatal(err)
	}
	return Job{Dataset: ds, Split: "train", ValSplit: "val", Config: cfg, Seed: 1, Backend: open(t, "go"), OutDir: t.TempDir(), ConfigHash: "x"}
}

// TestResume stops a training at every second update, and takes away its last
// checkpoint once, as a kill before it was written would; all files end up with
// the same bytes, also of a network with dropout.
func TestResume(t *testing.T) {
	root := t.TempDir()
	cfg := scenes.DefaultConfig()
	cfg.Train, cfg.Val, cfg.MinSize, cfg.MaxSize, cfg.Classes = 24, 12, 40, 56, 3
	if err := scenes.Write(context.Background(), root, cfg, nil); err != nil {
		t.Fatal(err)
	}
	t.Run("resnet18", func(t *testing.T) { resumes(t, job(t, root)) })
	t.Run("vgg16", func(t *testing.T) {
		j := job(t, root)
		j.Config.Backbone, j.Config.Width = "vgg16", 1.0/32
		resumes(t, j)
	})
}

func resumes(t *testing.T, whole Job) {
	want, err := Run(context.Background(), whole)
	if err != nil {
		t.Fatal(err)
	}
	if want.Val == nil || want.Steps != 6 || !(want.Val.MAP > 0) {
		t.Errorf("result %+v", want)
	}
	parts := whole
	parts.OutDir = t.TempDir()
	for stops := 0; ; stops++ {
		ctx, cancel := context.WithCancel(context.Background())
		updates := 0
		parts.Progress = func(int, int) {
			if updates++; updates == 2 {
				cancel()
			}
		}
		_, err := Run(ctx, parts)
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if stops == 1 {
			last, _ := filepath.Glob(filepath.Join(parts.OutDir, "step-*"))
			slices.Sort(last)
			if len(last) < 2 {
				t.Fatalf("checkpoints %v", last)
			}
			if err := os.Remove(last[len(last)-1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	names, err := os.ReadDir(whole.OutDir)
	if err != nil || len(names) < 4 {
		t.Fatalf("%v: %v", names, err)
	}
	for _, e := range names {
		a, errA := os.ReadFile(filepath.Join(whole.OutDir, e.Name()))
		b, errB := os.ReadFile(filepath.Join(parts.OutDir, e.Name()))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs (%v, %v)", e.Name(), errA, errB)
		}
	}
	if again, err := Run(context.Background(), parts); err != nil || !again.Skipped {
		t.Errorf("a finished training: %+v, %v", again, err)
	}
	n, _, classes, err := camnet.Open(want.Classifier)
	if err != nil || n.Config().Width != whole.Config.Width || n.Config().Backbone != whole.Config.Backbone || !slices.Equal(classes, whole.Dataset.Classes().Names) {
		t.Errorf("%v: %+v, classes %v", err, n, classes)
	}
	parts.ConfigHash = "y"
	if _, err := Run(context.Background(), parts); !errors.Is(err, multilabel.ErrOtherRun) {
		t.Errorf("another config: %v", err)
	}
}

// TestPrepare: the picture keeps its proportions and lies inside the canvas,
// which is zero elsewhere; the draw decides, nothing else.
func TestPrepare(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 40, 20))
	for i := range 40 * 20 {
		img.SetNRGBA(i%40, i/40, color.NRGBA{250, 10, 10, 255})
	}
	cfg := configs.Classifier{ClassifierAugment: configs.ClassifierAugment{Long: []int{24, 48}, Crop: 32, Flip: true}}
	box := func(dst []float32) (r image.Rectangle) {
		for i := range 32 * 32 {
			if dst[3*i] > 1 {
				r = r.Union(image.Rect(i%32, i/32, i%32+1, i/32+1))
			} else if dst[3*i] != 0 {
				t.Fatalf("red %g beside the picture", dst[3*i])
			}
		}
		return r
	}
	sizes := map[image.Point]bool{}
	corners := map[image.Point]bool{}
	for seed := range int64(40) {
		a, b := make([]float32, 3*32*32), make([]float32, 3*32*32)
		prepare(a, img, cfg, augment.RNG(seed, 0, 0))
		prepare(b, img, cfg, augment.RNG(seed, 0, 0))
		if !slices.Equal(a, b) {
			t.Fatal("the same draw, another input")
		}
		r := box(a)
		sizes[r.Size()], corners[r.Min] = true, true
		if r.Dx() < 24 || r.Dx() < 32 && math.Abs(float64(r.Dy())-float64(r.Dx())/2) > 0.5 || r.Dx() == 32 && r.Dy() < 16 || r.Dy() > 24 {
			t.Errorf("picture of %v", r.Size())
		}
	}
	if len(sizes) < 10 || len(corners) < 10 {
		t.Errorf("%d sizes, %d places", len(sizes), len(corners))
	}
	plain := make([]float32, 3*32*32)
	prepare(plain, img, cfg, nil)
	if r := box(plain); r != image.Rect(0, 8, 32, 24) {
		t.Errorf("at test time the picture is at %v", r)
	}
}

// TestDevices trains on one device and on two, of XLA's plug-in for CPUs.
func TestDevices(t *testing.T) {
	root := t.TempDir()
	cfg := scenes.DefaultConfig()
	cfg.Train, cfg.Val, cfg.MinSize, cfg.MaxSize, cfg.Classes = 24, 12, 40, 56, 3
	if err := scenes.Write(context.Background(), root, cfg, nil); err != nil {
		t.Fatal(err)
	}
	b := backendtest.XLA(t, 2)
	var logs [2][]multilabel.Record
	for i := range logs {
		j := job(t, root)
		j.Backend, j.Config.Devices = b, i+1
		if _, err := Run(context.Background(), j); err != nil {
			t.Fatal(err)
		}
		var err error
		if logs[i], err = runlog.Read[multilabel.Record](filepath.Join(j.OutDir, runlog.File)); err != nil {
			t.Fatal(err)
		}
	}
	for i, one := range logs[0] {
		if two := logs[1][i]; one.Val == nil {
			t.Logf("update %d: loss %.7g on one device, %.7g on two", one.Step, one.Loss, two.Loss)
			if limit := map[bool]float64{true: 1e-5, false: 1e-2}[i == 0]; math.Abs(one.Loss-two.Loss) > limit*one.Loss {
				t.Errorf("update %d: loss %.7g on one device, %.7g on two", one.Step, one.Loss, two.Loss)
			}
		}
	}
}
