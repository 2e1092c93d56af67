package irn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/configs"
	"wsss/data"
	"wsss/data/scenes"
	"wsss/models/backend/backendtest"
	"wsss/models/irn"
)

func job(t *testing.T, root string) Job {
	t.Helper()
	c := configs.Default().IRN
	c.Backbone, c.Width, c.Head = "resnet18", 0.125, 0.25
	c.Epochs, c.Batch, c.Radius, c.Crop = 2, 4, 3, 48
	ds, err := data.Open("scenes", data.Options{Root: root, Extra: map[string]any{"train": 12, "val": 2, "min_size": 40, "max_size": 56, "classes": 3}})
	if err != nil {
		t.Fatal(err)
	}
	return Job{Dataset: ds, Split: "train", Config: c, Seed: 1, Backend: backendtest.One(t), OutDir: t.TempDir(), ConfigHash: "x"}
}

func write(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	cfg := scenes.DefaultConfig()
	cfg.Train, cfg.Val, cfg.MinSize, cfg.MaxSize, cfg.Classes = 12, 2, 40, 56, 3
	if err := scenes.Write(context.Background(), root, cfg, nil); err != nil {
		t.Fatal(err)
	}
	return root
}

// TestAffinityNet: a training on true masks writes its network; stopped, it ends with
// the same bytes.
func TestAffinityNet(t *testing.T) {
	j := job(t, write(t))
	j.Config.Kind, j.Config.Head, j.Config.Crop, j.Config.LR = configs.KindAffinityNet, 0.125, 64, 0.01
	j.Config.Backbone, j.Config.Width = "vgg16", 1.0/32 // with dropout
	res, err := Run(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(res.Network)
	if err != nil || res.Steps != 6 {
		t.Fatalf("%+v, %v", res, err)
	}
	n, store, err := irn.OpenAffinityNet(res.Network)
	if err != nil || n.Config().Head != 0.125 || n.Config().Backbone != "vgg16" {
		t.Fatalf("%+v, %v", n, err)
	}
	store.Finalize()
	j.OutDir = t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	updates := 0
	j.Progress = func(int, int) {
		if updates++; updates == 4 {
			cancel()
		}
	}
	if _, err := Run(ctx, j); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	j.Progress = nil
	res, err = Run(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(res.Network); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the network differs (%v)", err)
	}
}

// TestRun: a training on true masks writes its network; stopped twice it ends
// with the same bytes; finished it does nothing; another config is refused.
func TestRun(t *testing.T) {
	j := job(t, write(t))
	res, err := Run(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(res.Network)
	if err != nil || res.Steps != 6 || res.Network != filepath.Join(j.OutDir, File) {
		t.Fatalf("%+v, %v", res, err)
	}
	n, err := irn.Open(res.Network)
	if err != nil || n.Crop != 48 {
		t.Fatalf("%+v, %v", n, err)
	}
	defer n.Store.Finalize()
	shift := tensors.MustCopyFlatData[float32](n.Store.GetVariable("/mean_shift/running_mean").MustValue())
	if shift[0] == 0 && shift[1] == 0 {
		t.Error("the mean displacement was not taken")
	}
	if again, err := Run(context.Background(), j); err != nil || !again.Skipped {
		t.Errorf("finished: %+v, %v", again, err)
	}
	other := j
	other.OutDir = t.TempDir()
	for stops := 0; ; stops++ {
		ctx, cancel := context.WithCancel(context.Background())
		updates := 0
		other.Progress = func(int, int) {
			if updates++; updates == 2 {
				cancel()
			}
		}
		_, err := Run(ctx, other)
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) || stops > 5 {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(other.OutDir, File)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("stopped and begun again it ends with other bytes (%v)", err)
	}
	j.ConfigHash = "y"
	if _, err := Run(context.Background(), j); err == nil || !strings.Contains(err.Error(), "another training") {
		t.Errorf("another config: %v", err)
	}
}

// TestLearns: on the same images again and again the loss goes down, on every
// engine.
func TestLearns(t *testing.T) {
	root := write(t)
	for _, spec := range backendtest.Names(t) {
		t.Run(spec, func(t *testing.T) {
			j := job(t, root)
			j.Backend = backendtest.Open(t, spec)
			j.Config.Epochs, j.Config.LR, j.Config.Radius = 6, 0.02, 2 // few pairs compile sooner
			r, err := Run(context.Background(), j)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(filepath.Join(j.OutDir, "log.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			losses := lossesOf(t, raw)
			if first := losses[0]; r.Loss > 0.95*first {
				t.Errorf("loss from %.3f to %.3f: %v", first, r.Loss, losses)
			}
		})
	}
}

func lossesOf(t *testing.T, log []byte) (losses []float64) {
	t.Helper()
	for _, line := range bytes.Split(bytes.TrimSpace(log), []byte("\n")) {
		var rec struct{ Loss float64 }
		if err := json.Unmarshal(line, &rec); err != nil {
			t.Fatal(err)
		}
		losses = append(losses, rec.Loss)
	}
	return losses
}
