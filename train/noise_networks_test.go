package train

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"wsss/configs"
	"wsss/data"
)

// TestNoiseOfNetworks: every option against wrong labels changes what networks
// with losses and inputs of their own learn, from the update on at which it
// begins, and each labels images for another round.
func TestNoiseOfNetworks(t *testing.T) {
	const updates = 4
	labels := scoredLabels(t)
	networks := []struct {
		name string
		job  func(t *testing.T) Job
	}{
		{"mask2former", func(t *testing.T) Job { return mask2formerJob(t, t.TempDir()) }},
		{"vit-linear, cached features", func(t *testing.T) Job { return frozenJob(t, true) }},
		{"vit-mask", func(t *testing.T) Job {
			job := frozenJob(t, false)
			job.Config.Arch, job.Config.Frozen = "vit-mask", false
			return job
		}},
	}
	options := []struct {
		name  string
		set   func(*configs.Train)
		begin int // the update, counted from 0, whose loss it changes first
	}{
		{"bootstrap", func(c *configs.Train) { c.Bootstrap = 0.5 }, 0},
		{"loss_clip", func(c *configs.Train) { c.LossClip = 0.2 }, 0},
		{"warmup", func(c *configs.Train) { c.Bootstrap, c.LossClip, c.NoiseWarmup = 0.5, 0.2, 0.5 }, updates / 2},
		{"confidence = mask", func(c *configs.Train) { c.Confidence, c.ConfidenceMin = "mask", 0.5 }, 0},
		{"confidence = weight", func(c *configs.Train) { c.Confidence = "weight" }, 0},
	}
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			run := func(set func(*configs.Train)) (losses []float64, job Job) {
				job = n.job(t)
				job.LabelsDir, job.ValSplit = labels, ""
				job.Config.Iterations, job.Config.Accumulate, job.Config.ValEvery = updates, 1, 0
				set(&job.Config)
				losses, _ = learn(t, job)
				return losses, job
			}
			plain, job := run(func(*configs.Train) {})
			for _, o := range options {
				losses, _ := run(o.set)
				if len(losses) != updates || !slices.Equal(losses[:o.begin], plain[:o.begin]) || losses[o.begin] == plain[o.begin] {
					t.Errorf("%s: losses %v, without it %v: want them to part at update %d", o.name, losses, plain, o.begin+1)
				}
			}
			p, err := LoadPredictor(job.Backend, job.OutDir, PredictOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for _, rule := range configs.SelfRules {
				dir := t.TempDir()
				o := SelfOptions{Rule: rule, MinScore: 0.2, Labels: labels, IDs: []string{"train_00"}}
				if err := SelfLabel(context.Background(), p, job.Dataset, "train", dir, o, nil); err != nil {
					t.Fatalf("self-training, %s: %v", rule, err)
				}
				m, err := data.ReadLabelMap(filepath.Join(dir, "train_00.png"))
				if err != nil {
					t.Fatal(err)
				}
				for i, v := range m.Pix {
					if v > 2 && v != data.Ignore {
						t.Fatalf("self-training, %s: pixel %d has class %d", rule, i, v)
					}
				}
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
