package train

import (
	"math"
	"os"
	"testing"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/models/backend/backendtest"
)

// transformerJob trains a whole plain transformer, its backbone included.
func transformerJob(t *testing.T, arch string) Job {
	j := frozenJob(t, false)
	j.ValSplit, j.Config.ValEvery = "", 0
	c := &j.Config
	c.Arch, c.Frozen, c.CropAt, c.Batch, c.Iterations = arch, false, "random", 4, 6
	c.Optimizer, c.LR, c.HeadMult, c.DecayOf, c.LayerDecay, c.ClipNorm = "adamw", 1e-3, 1, "kernels", 0.8, 1
	return j
}

// TestTransformersVariants: with a moving average, parts computed again, in bfloat16 or
// with gradients added up, the training of a whole transformer that is interrupted ends
// with the same bytes; what is computed again changes no loss.
func TestTransformersVariants(t *testing.T) {
	variants := map[string]func(*configs.Train){
		"plain": func(*configs.Train) {}, "recomputed": func(c *configs.Train) { c.Recompute = 2 },
		"bf16": func(c *configs.Train) { c.Precision = "bf16" }, "average": func(c *configs.Train) { c.EMA, c.Accumulate = 0.8, 2 },
	}
	for _, arch := range []string{"vit-linear", "vit-mask"} {
		t.Run(arch, func(t *testing.T) {
			losses := map[string][]float64{}
			for name, change := range variants {
				whole, cut := transformerJob(t, arch), transformerJob(t, arch)
				change(&whole.Config)
				change(&cut.Config)
				losses[name], _ = learn(t, whole)
				learn(t, cut, 2, 5)
				sameFiles(t, whole.OutDir, cut.OutDir, checkpoints.FileName(6), LogFile)
			}
			for i, want := range losses["plain"] {
				for name, limit := range map[string]float64{"recomputed": 1e-4, "bf16": 0.05} {
					if got := losses[name][i]; !(math.Abs(got-want) <= limit*want) {
						t.Errorf("update %d: loss %g %s, plain %g", i+1, got, name, want)
					}
				}
			}
		})
	}
}

// TestTransformersDevices: two devices learn what one learns, and a training on two
// that is interrupted ends with the same bytes.
func TestTransformersDevices(t *testing.T) {
	b := backendtest.XLA(t, 2)
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("compiles a transformer four times, half a minute of CPU: set WSSS_VERIFY=1")
	}
	job := func(devices int) Job {
		j := transformerJob(t, "vit-mask")
		j.Backend, j.Config.Devices, j.Config.Iterations = b, devices, 4
		return j
	}
	onTwo(t, job)
}
