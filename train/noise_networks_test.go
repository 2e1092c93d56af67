package train

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"wsss/configs"
	"wsss/data"
)

// TestNoiseOfNetworks: every option against wrong labels, and weights of classes, change what every network
// learns, from the update on at which it begins, and each labels images for another
// round.
func TestNoiseOfNetworks(t *testing.T) {
	const updates = 4
	labels := scoredLabels(t)
	options := []struct {
		name  string
		set   func(*configs.Train)
		begin int  // the update, counted from 0, whose loss it changes first
		later bool // or a later one: once the network is sure of another class than the label's
	}{
		{"bootstrap", func(c *configs.Train) { c.Bootstrap = 0.5 }, 0, false},
		{"loss_clip", func(c *configs.Train) { c.LossClip = 0.2 }, 0, false},
		{"warmup", func(c *configs.Train) { c.Bootstrap, c.LossClip, c.NoiseWarmup = 0.5, 0.2, 0.5 }, updates / 2, false},
		{"confidence = mask", func(c *configs.Train) { c.Confidence, c.ConfidenceMin = "mask", 0.5 }, 0, false},
		{"confidence = weight", func(c *configs.Train) { c.Confidence = "weight" }, 0, false},
		{"class weights", func(c *configs.Train) { c.ClassWeights = []float64{0.5, 1, 4} }, 0, false},
		{"balance", func(c *configs.Train) { c.Balance = "sqrt" }, 0, false},
		{"correct", func(c *configs.Train) { c.Correct = 0.5 }, 0, true},
	}
	for name, newJob := range segmenterJobs {
		t.Run(name, func(t *testing.T) {
			run := func(set func(*configs.Train)) (losses []float64, job Job) {
				job = newJob(t)
				job.LabelsDir, job.ValSplit = labels, ""
				job.Config.Iterations, job.Config.Accumulate, job.Config.ValEvery = updates, 1, 0
				set(&job.Config)
				losses, _ = learn(t, job)
				return losses, job
			}
			plain, job := run(func(*configs.Train) {})
			for _, o := range options {
				losses, _ := run(o.set)
				parted := 0
				for parted < len(losses) && losses[parted] == plain[parted] {
					parted++
				}
				if len(losses) != updates || parted == updates || parted != o.begin && !o.later {
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
