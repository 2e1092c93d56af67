package train

import (
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
	"wsss/models"
	"wsss/models/backend/backendtest"
)

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

// onTwo checks that a training of four updates learns on two devices what it learns
// on one, and that it ends with the same bytes when it is interrupted.
func onTwo(t *testing.T, job func(devices int) Job) {
	t.Helper()
	want, _ := learn(t, job(1))
	whole, cut := job(2), job(2)
	got, _ := learn(t, whole)
	alike(t, 2, got, want, 1e-5, 1e-3)
	learn(t, cut, 3)
	sameFiles(t, whole.OutDir, cut.OutDir, checkpoints.FileName(4), LogFile)
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

// narrow is the training of a narrow network of a real architecture.
func narrow(t *testing.T, b compute.Backend, devices int, change func(*configs.Train)) Job {
	t.Helper()
	j := tinyJob(t, t.TempDir())
	j.Backend, j.Net, j.ValSplit = b, nil, ""
	j.Config.Iterations, j.Config.Batch, j.Config.Devices, j.Config.LR = 50, 4, devices, 0.002
	j.Config.Backbone, j.Config.Width, j.Config.OutputStride, j.Config.Crop = "resnet18", 0.125, 16, 65
	j.Config.Precision, j.Config.MSC = "float32", false
	change(&j.Config)
	return j
}

// v3plus learns the statistics of its normalisation.
func v3plus(c *configs.Train) { c.Arch, c.BatchNorm, c.StrideIn = "deeplab-v3plus", "train", "3x3" }

// nudged is a network that sees every pixel one rounding of float32 off.
type nudged struct{ models.Segmenter }

func (n nudged) Logits(scope *model.Scope, images *Node, training bool) []*Node {
	return n.Segmenter.Logits(scope, MulScalar(images, 1+1.0/(1<<22)), training)
}

// nudgedOf is the network of a training, nudged.
func nudgedOf(t *testing.T, j Job) models.Segmenter {
	t.Helper()
	net, err := NewSegmenter(j.Config, j.Dataset.Classes().Len())
	if err != nil {
		t.Fatal(err)
	}
	return nudged{net}
}

// TestDevicesGradients: an update on two devices has the gradient of one device,
// of every variable, and the statistics, as near as that of pictures that are
// changed by a rounding.
func TestDevicesGradients(t *testing.T) {
	b := backendtest.XLA(t, 2)
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("compiles six networks, some two minutes of CPU: set WSSS_VERIFY=1")
	}
	for name, change := range map[string]func(*configs.Train){
		"v3plus": v3plus, "recomputed": func(c *configs.Train) { v3plus(c); c.Recompute = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			update := func(j Job) map[string][]float32 {
				j.Config.Iterations = 1
				if _, err := Run(t.Context(), j); err != nil {
					t.Fatal(err)
				}
				return momenta(t, filepath.Join(j.OutDir, checkpoints.FileName(1)))
			}
			want, got := update(narrow(t, b, 1, change)), update(narrow(t, b, 2, change))
			off := narrow(t, b, 1, change)
			off.Net = nudgedOf(t, off)
			near := update(off)
			worst, noise := 0.0, 0.0
			for tensor, w := range want {
				d := apart(got[tensor], w)
				worst, noise = max(worst, d), max(noise, apart(near[tensor], w))
				if !(d <= 1e-4) {
					t.Errorf("%s: two devices are %.1e off", tensor, d)
				}
			}
			t.Logf("%d tensors: two devices at most %.1e off, nudged %.1e", len(want), worst, noise)
			if len(want) < 100 || noise == 0 {
				t.Errorf("%d tensors", len(want))
			}
		})
	}
}

// momenta are the gradients that a first update leaves, and the statistics.
func momenta(t *testing.T, path string) map[string][]float32 {
	t.Helper()
	c, err := checkpoints.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	values := map[string][]float32{}
	for _, name := range c.Names() {
		if !strings.HasPrefix(name, checkpoints.OptimizerPrefix+"/momentum/") && !strings.Contains(name, "/running_") {
			continue
		}
		v, err := c.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		values[name] = tensors.MustCopyFlatData[float32](v)
	}
	return values
}

// apart is the length of the difference, relative to want's.
func apart(got, want []float32) float64 {
	d, sum := 0.0, 0.0
	for i, w := range want {
		d += math.Pow(float64(got[i]-w), 2)
		sum += math.Pow(float64(w), 2)
	}
	return math.Sqrt(d / max(sum, 1e-30))
}

// TestDevicesSlowly trains a narrow DeepLab-v3+ with learnt statistics at a rate
// at which rounding does not grow: two devices then learn what one learns, losses
// and weights, over 50 updates.
func TestDevicesSlowly(t *testing.T) {
	b := backendtest.XLA(t, 2)
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("trains a network twice, some two minutes of CPU: set WSSS_VERIFY=1")
	}
	slowly := func(c *configs.Train) {
		v3plus(c)
		c.Batch, c.LR, c.CheckpointEvery, c.Keep = 8, 0.00002, 10, 5
	}
	one, two := narrow(t, b, 1, slowly), narrow(t, b, 2, slowly)
	want, _ := learn(t, one)
	got, _ := learn(t, two)
	alike(t, 2, got, want, 1e-6, 1e-3)
	at := func(j Job, update int) []float32 {
		return weights(t, filepath.Join(j.OutDir, checkpoints.FileName(update)))
	}
	early, end, other := at(one, 10), at(one, 50), at(two, 50)
	way := make([]float32, len(end)) // from update 10 to 50
	for i := range way {
		way[i], other[i] = end[i]-early[i], other[i]-early[i]
	}
	off, moved := apart(other, way), apart(end, early)
	t.Logf("from update 10 to 50 the weights move by %.1e of their length, on two devices %.1e of that otherwise", moved, off)
	if !(off <= 1e-2) || moved < 1e-5 {
		t.Errorf("weights that move by %.1e part by %.1e of it", moved, off)
	}
}

// weights are all weights of a checkpoint, one after the other.
func weights(t *testing.T, path string) []float32 {
	t.Helper()
	c, err := checkpoints.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all []float32
	for _, name := range c.Names() {
		if !strings.HasSuffix(name, "/weight") || strings.HasPrefix(name, checkpoints.OptimizerPrefix) {
			continue
		}
		v, err := c.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tensors.MustCopyFlatData[float32](v)...)
	}
	if len(all) == 0 {
		t.Fatalf("%s holds no weights: %v", path, c.Names())
	}
	return all
}

// TestDevicesNetworks is TestDevicesLearnTheSame for the real architectures,
// narrow.
func TestDevicesNetworks(t *testing.T) {
	b := backendtest.XLA(t, 2)
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("trains three networks up to three times, some six minutes of CPU: set WSSS_VERIFY=1")
	}
	for name, change := range map[string]func(*configs.Train){
		"v2": func(c *configs.Train) { c.Arch, c.MSC = "deeplab-v2", true }, "v3plus": v3plus,
		"v3plus8": func(c *configs.Train) { v3plus(c); c.Batch, c.LR = 8, 0.0002 },
	} {
		t.Run(name, func(t *testing.T) {
			want, _ := learn(t, narrow(t, b, 1, change))
			got, _ := learn(t, narrow(t, b, 2, change))
			if name == "v2" {
				alike(t, 2, got, want, 1e-6, 1e-3)
				return
			}
			// Statistics over four pooled values enlarge what rounding leaves. How much
			// is seen where the learning rate is one step of float32 higher, or, where
			// the rate is so low that this changes next to nothing, every pixel.
			off := narrow(t, b, 1, change)
			if name == "v3plus" {
				off.Config.LR = float64(math.Nextafter32(float32(off.Config.LR), 1))
			} else {
				off.Net = nudgedOf(t, off)
			}
			near, _ := learn(t, off)
			alike(t, 2, got, want, 1e-6, math.Inf(1))
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
	parted := func(what string, before, now float64, i int) {
		if before <= 1e-3 && now > 1e-3 {
			t.Logf("%s is off by more than 1e-3 from update %d on", what, i+1)
		}
	}
	for i := range want {
		offBefore, noiseBefore := off, noise
		off = max(off, math.Abs(got[i]/want[i]-1))
		noise = max(noise, math.Abs(near[i]/want[i]-1))
		parted("a training on two devices", offBefore, off, i)
		parted("a nudged one", noiseBefore, noise, i)
		if i < 12 || i%10 == 9 {
			t.Logf("by update %d: two devices %.1e, nudged %.1e", i+1, off, noise)
		}
		if off > 10*max(noise, 1e-5) {
			t.Errorf("update %d: two devices are off by %.1e, rounding by %.1e", i+1, off, noise)
			return
		}
	}
}
