package train

import (
	"math"
	"os"
	"testing"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/models"
	"wsss/models/backend/backendtest"
)

// learn trains a network and returns its losses and gradient norms.
func learn(t *testing.T, job Job, cut ...int) (losses, norms []float64) {
	t.Helper()
	_, log := interrupted(t, job, cut)
	for _, rec := range log {
		if len(rec.LR) > 0 {
			losses, norms = append(losses, rec.Loss), append(norms, rec.GradNorm)
		}
	}
	return losses, norms
}

// alike compares the losses of trainings, by the relative differences that the
// first and later ones may have.
func alike(t *testing.T, devices int, got, want []float64, first, later float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d devices: %d updates, want %d", devices, len(got), len(want))
	}
	worst := 0.0
	for i := range want {
		off := math.Abs(got[i]-want[i]) / math.Abs(want[i])
		worst = max(worst, off)
		if limit := map[bool]float64{true: first, false: later}[i == 0]; !(off <= limit) {
			t.Errorf("%d devices, update %d: %.7g, one device has %.7g", devices, i+1, got[i], want[i])
			return
		}
	}
	t.Logf("%d devices: first %.7g, %.7g on one; last %.7g, %.7g; worst difference %.1e", devices, got[0], want[0], got[len(got)-1], want[len(want)-1], worst)
}

// TestDevicesLearnTheSame trains with dropout, batch statistics and a moving
// average on one, two and four devices, and interrupts a training on two.
func TestDevicesLearnTheSame(t *testing.T) {
	b := backendtest.XLA(t, 4)
	updates, ways := 12, []int{2} // batches per update
	if os.Getenv("WSSS_VERIFY") == "1" {
		updates, ways = 50, []int{1, 2}
	}
	for _, accumulate := range ways {
		job := func(devices int) Job {
			j := tinyJob(t, t.TempDir())
			j.Backend = b
			j.Config.Iterations, j.Config.Batch, j.Config.Accumulate, j.Config.EMA = updates, 4, accumulate, 0.9
			j.Config.ValEvery, j.Config.CheckpointEvery, j.Config.Devices, j.Config.LR = configs.Every(updates/2), 5, devices, 0.02
			return j
		}
		want, _ := learn(t, job(1))
		for _, devices := range []int{2, 4} {
			whole := job(devices)
			got, _ := learn(t, whole)
			alike(t, devices, got, want, 1e-6, 1e-3)
			if devices == 2 {
				cut := job(2)
				learn(t, cut, 7)
				sameFiles(t, whole.OutDir, cut.OutDir, checkpoints.FileName(updates), LogFile)
			}
		}
	}
}

// nudged is a network that sees every pixel one rounding of float32 off.
type nudged struct{ models.Segmenter }

func (n nudged) Logits(scope *model.Scope, images *Node, training bool) []*Node {
	return n.Segmenter.Logits(scope, MulScalar(images, 1+1.0/(1<<22)), training)
}

// TestDevicesNetworks is the same for the real architectures, narrow, in
// float32 and bfloat16, with parts that are recomputed. Normalisation by the four
// values that a batch of four pools to enlarges what rounding leaves: how much, is
// seen where one device is shown pictures that differ by a rounding. At a lower
// rate, of more pictures, nothing enlarges it.
func TestDevicesNetworks(t *testing.T) {
	b := backendtest.XLA(t, 2)
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("trains six networks up to three times, some fifteen minutes of CPU: set WSSS_VERIFY=1")
	}
	v3 := func(c *configs.Train) { c.Arch, c.BatchNorm, c.StrideIn = "deeplab-v3plus", "train", "3x3" }
	for _, tc := range []struct {
		name   string
		calm   bool // equal to 1e-3 over all updates
		change func(*configs.Train)
	}{
		{"v2", true, func(c *configs.Train) { c.Arch, c.MSC = "deeplab-v2", true }},
		{"v3plus calm", true, func(c *configs.Train) { v3(c); c.Batch, c.LR = 8, 2e-4 }},
		{"recomputed calm", true, func(c *configs.Train) { v3(c); c.Batch, c.LR, c.Recompute = 8, 2e-4, 2 }},
		{"v3plus", false, v3},
		{"recomputed", false, func(c *configs.Train) { v3(c); c.Recompute = 2 }},
		{"multigrid bf16", false, func(c *configs.Train) { v3(c); c.Arch, c.Precision = "deeplab-v3plus-multigrid", "bf16" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			job := func(devices int) Job {
				j := tinyJob(t, t.TempDir())
				j.Backend, j.Net, j.ValSplit = b, nil, ""
				j.Config.Iterations, j.Config.Batch, j.Config.Devices, j.Config.LR = 50, 4, devices, 0.002
				j.Config.Backbone, j.Config.Width, j.Config.OutputStride, j.Config.Crop = "resnet18", 0.125, 16, 65
				j.Config.Precision, j.Config.MSC = "float32", false
				tc.change(&j.Config)
				return j
			}
			want, _ := learn(t, job(1))
			got, _ := learn(t, job(2))
			if tc.calm {
				alike(t, 2, got, want, 1e-6, 1e-3)
				return
			}
			off := job(1)
			net, err := NewSegmenter(off.Config, off.Dataset.Classes().Len())
			if err != nil {
				t.Fatal(err)
			}
			off.Net = nudged{net}
			near, _ := learn(t, off)
			notFarther(t, got, near, want)
		})
	}
}

// notFarther demands of the losses of two devices that they part from those of
// one no faster, by an order of magnitude, than those of a training that was
// nudged by a rounding.
func notFarther(t *testing.T, got, near, want []float64) {
	t.Helper()
	off, noise := 0.0, 0.0 // so far
	for i := range want {
		off = max(off, math.Abs(got[i]/want[i]-1))
		noise = max(noise, math.Abs(near[i]/want[i]-1))
		if i < 12 || i%10 == 9 {
			t.Logf("by update %d: two devices %.1e, nudged %.1e", i+1, off, noise)
		}
		if off > 10*max(noise, 1e-5) {
			t.Errorf("update %d: two devices are off by %.1e, rounding by %.1e", i+1, off, noise)
			return
		}
	}
}
