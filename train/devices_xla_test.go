package train

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"wsss/checkpoints"
	"wsss/configs"
)

// learn trains a network and returns its losses and gradient norms.
func learn(t *testing.T, job Job, cut ...int) (losses, norms []float64) {
	t.Helper()
	for _, at := range append(cut, math.MaxInt) {
		ctx, cancel := context.WithCancel(context.Background())
		job.Progress = func(done, _ int) {
			if done == at {
				cancel()
			}
		}
		_, err := Run(ctx, job)
		cancel()
		if at < math.MaxInt && !errors.Is(err, context.Canceled) || at == math.MaxInt && err != nil {
			t.Fatalf("cancelled at %d: %v", at, err)
		}
	}
	log, err := ReadLog(filepath.Join(job.OutDir, LogFile))
	if err != nil {
		t.Fatal(err)
	}
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
	b := openXLA(t)
	if b.NumDevices() < 4 {
		t.Skipf("%d devices: set XLA_FLAGS=--xla_force_host_platform_device_count=4", b.NumDevices())
	}
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

// TestDevicesNetworks is the same for the real architectures, narrow, in
// float32 and bfloat16, with parts that are recomputed.
func TestDevicesNetworks(t *testing.T) {
	b := openXLA(t)
	if b.NumDevices() < 2 {
		t.Skipf("%d devices: set XLA_FLAGS=--xla_force_host_platform_device_count=4", b.NumDevices())
	}
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("trains four networks three times, some eight minutes of CPU: set WSSS_VERIFY=1")
	}
	for name, change := range map[string]func(*configs.Train){
		"v2":     func(c *configs.Train) { c.Arch, c.MSC = "deeplab-v2", true },
		"v3plus": func(c *configs.Train) { c.Arch, c.BatchNorm, c.StrideIn = "deeplab-v3plus", "train", "3x3" },
		"multigrid bf16": func(c *configs.Train) {
			c.Arch, c.BatchNorm, c.StrideIn, c.Precision = "deeplab-v3plus-multigrid", "train", "3x3", "bf16"
		},
		"recomputed": func(c *configs.Train) {
			c.Arch, c.BatchNorm, c.StrideIn, c.Recompute = "deeplab-v3plus", "train", "3x3", 2
		},
	} {
		t.Run(name, func(t *testing.T) {
			job := func(devices int) Job {
				j := tinyJob(t, t.TempDir())
				j.Backend, j.Net, j.ValSplit = b, nil, ""
				j.Config.Iterations, j.Config.Batch, j.Config.Devices, j.Config.LR = 50, 4, devices, 0.002
				j.Config.Backbone, j.Config.Width, j.Config.OutputStride, j.Config.Crop = "resnet18", 0.125, 16, 65
				j.Config.Precision, j.Config.MSC = "float32", false
				change(&j.Config)
				return j
			}
			want, _ := learn(t, job(1))
			got, _ := learn(t, job(2))
			if name == "v2" {
				alike(t, 2, got, want, 1e-6, 1e-3)
				return
			}
			// Statistics over four pooled values enlarge what rounding leaves. How much
			// is seen where the learning rate is one step of float32 higher.
			nudged := job(1)
			nudged.Config.LR = float64(math.Nextafter32(float32(nudged.Config.LR), 1))
			near, _ := learn(t, nudged)
			alike(t, 2, got, want, 1e-3, math.Inf(1))
			notFarther(t, got, near, want)
		})
	}
}

// notFarther demands of the losses of two devices that they part from those of
// one no faster, by an order of magnitude, than those of a training that was
// nudged by rounding.
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
