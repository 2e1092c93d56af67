package train

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/data"
	"wsss/models"
	"wsss/models/backend/backendtest"
)

// mask2formerJob trains a Mask2Former on a narrow Swin, whose windows are larger
// than the maps.
func mask2formerJob(t testing.TB, dir string) Job {
	job := tinyJob(t, dir)
	job.Net = nil
	c := &job.Config
	c.Arch, c.Backbone, c.Width, c.OutputStride, c.StrideIn, c.MSC, c.BatchNorm = "mask2former", "swin_t", 0.09, 32, "3x3", false, "train"
	c.Mask2Former = configs.Mask2Former{Queries: 8, Layers: 2, EncoderLayers: 1, Channels: 32, Heads: 2, FeedForward: 32, EncoderFeedForward: 32, DropPath: 0.1, Points: 96}
	c.Optimizer, c.LR, c.WeightDecay, c.ValEvery = "adamw", 3e-3, 0.01, 0
	return job
}

// TestMask2Former: it learns, and a training that is cut off, with gradients
// added up, a moving average and random points, ends with the same bytes.
func TestMask2Former(t *testing.T) {
	whole := mask2formerJob(t, t.TempDir())
	c := &whole.Config
	c.Iterations, c.Accumulate, c.EMA, c.Bootstrap, c.LossClip, c.NoiseWarmup = 40, 2, 0.8, 0.1, 8, 0.5
	res, err := Run(context.Background(), whole)
	if err != nil {
		t.Fatal(err)
	}
	log, err := ReadLog(whole.OutDir + "/" + LogFile)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("loss %.1f to %.1f, mIoU %.2f", log[0].Loss, res.Loss, res.ValMIoU)
	if !(res.Loss < 0.6*log[0].Loss) || !(res.ValMIoU > 0.35) {
		t.Errorf("loss %g after %g, mIoU %g", res.Loss, log[0].Loss, res.ValMIoU)
	}
	cut := mask2formerJob(t, t.TempDir())
	cut.Config = whole.Config
	interrupted(t, cut, []int{7})
	sameFiles(t, whole.OutDir, cut.OutDir, checkpoints.FileName(40), LogFile)
	p, err := LoadPredictor(whole.Backend, whole.OutDir, PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, size := range []image.Point{{9, 5}, {70, 33}} { // smaller than a patch of the last stage
		m, err := p.Predict(context.Background(), image.NewNRGBA(image.Rect(0, 0, size.X, size.Y)))
		if err != nil || m.Size() != size {
			t.Errorf("image of %v: %v", size, err)
		}
	}
}

// TestMask2FormerLayers: rates fall from the head to the images, through the blocks
// of a Swin and the stages of a ResNet.
func TestMask2FormerLayers(t *testing.T) {
	for backbone, c := range map[string]struct {
		layers int
		of     map[string]int
	}{
		"swin_t": {13, map[string]int{"backbone/patch_embed/proj/weight": 0, "backbone/layers/0/blocks/0/norm1/weight": 1, "backbone/layers/0/downsample/reduction/weight": 2,
			"backbone/norm0/weight": 2, "backbone/layers/2/blocks/5/mlp/fc1/bias": 10, "backbone/layers/3/blocks/1/attn/qkv/weight": 12, "backbone/norm3/bias": 12, "sem_seg_head/predictor/query_feat/weight": 13}},
		"resnet18": {5, map[string]int{"backbone/conv1/weight": 0, "backbone/layer1/0/conv1/weight": 1, "backbone/layer4/1/bn2/weight": 4, "sem_seg_head/pixel_decoder/mask_features/weight": 5}},
	} {
		job := mask2formerJob(t, t.TempDir())
		job.Config.Backbone, job.Config.LayerDecay, job.Config.Iterations = backbone, 0.7, 1
		net, err := models.NewSegmenter(job.Config, 3)
		if err != nil {
			t.Fatal(err)
		}
		layered := net.(models.Layered)
		if layered.Layers() != c.layers {
			t.Errorf("%s has %d layers, want %d", backbone, layered.Layers(), c.layers)
		}
		for path, want := range c.of {
			if got := layered.Layer("/" + path); got != want {
				t.Errorf("%s of %s is in layer %d, want %d", path, backbone, got, want)
			}
		}
	}
	job := mask2formerJob(t, t.TempDir())
	job.ValSplit, job.Config.LayerDecay, job.Config.Iterations = "", 0.7, 1
	if _, err := Run(context.Background(), job); err != nil {
		t.Error(err)
	}
}

// unknown is squares without a label.
type unknown struct{ squares }

func (u unknown) Load(id string, want data.Want) (*data.Sample, error) {
	s, err := u.squares.Load(id, want)
	for i := range s.Truth.Pix {
		s.Truth.Pix[i] = data.Ignore
	}
	return s, err
}

// TestMask2FormerEdges: images without a label cost nothing, and one query learns
// from images of several classes.
func TestMask2FormerEdges(t *testing.T) {
	void := mask2formerJob(t, t.TempDir())
	void.Dataset, void.ValSplit, void.Config.Iterations = unknown{squares{4}}, "", 2
	res, err := Run(context.Background(), void)
	if err != nil || res.Loss != 0 {
		t.Errorf("without labels: loss %v (%v), want 0", res, err)
	}
	one := mask2formerJob(t, t.TempDir())
	one.ValSplit, one.Config.Iterations, one.Config.Mask2Former.Queries = "", 2, 1
	if res, err := Run(context.Background(), one); err != nil || !(res.Loss > 0) {
		t.Errorf("one query: %v (%v)", res, err)
	}
	for key, change := range map[string]func(*configs.Train){
		"train.mask2former.channels = 40":     func(c *configs.Train) { c.Mask2Former.Channels = 40 },
		"train.network.output_stride = 16":    func(c *configs.Train) { c.OutputStride = 16 },
		"train.network.msc = true":            func(c *configs.Train) { c.MSC = true },
		`train.network.backbone = "swin_xxl"`: func(c *configs.Train) { c.Backbone = "swin_xxl" },
	} {
		c := one.Config
		change(&c)
		if _, err := models.NewSegmenter(c, 3); err == nil || !strings.HasPrefix(err.Error(), key) {
			t.Errorf("error %v, want %s", err, key)
		}
	}
	if _, err := models.NewSegmenter(one.Config, 1); err == nil || !strings.Contains(err.Error(), "2 to 255") {
		t.Errorf("a class list of one: error %v", err)
	}
}

// onResNet has a Mask2Former begin with a narrow ResNet.
func onResNet(c *configs.Train) {
	c.Backbone, c.Width, c.EMA, c.Iterations, c.Batch, c.LayerDecay, c.DecayOf, c.ClipNorm = "resnet18", 0.0625, 0.8, 6, 4, 0.8, "kernels", 0.1
}

// TestMask2FormerVariants: on a ResNet, with a moving average, parts computed again,
// in bfloat16, a training that is interrupted ends with the same bytes; what is
// computed again changes no loss.
func TestMask2FormerVariants(t *testing.T) {
	losses := map[string][]float64{}
	for name, change := range map[string]func(*configs.Train){
		"plain": func(*configs.Train) {}, "recomputed": func(c *configs.Train) { c.Recompute = 2 },
		"bf16": func(c *configs.Train) { c.Precision = "bf16" }, "accumulated": func(c *configs.Train) { c.Accumulate = 2 },
		"learnt statistics": func(c *configs.Train) { c.BatchNorm, c.BNMomentum = "train", 0.1 },
	} {
		job := func() Job {
			j := mask2formerJob(t, t.TempDir())
			j.ValSplit, j.Config.BatchNorm = "", "frozen"
			onResNet(&j.Config)
			change(&j.Config)
			return j
		}
		whole, cut := job(), job()
		losses[name], _ = learn(t, whole)
		learn(t, cut, 2, 5)
		sameFiles(t, whole.OutDir, cut.OutDir, checkpoints.FileName(6), LogFile)
	}
	for i, want := range losses["plain"] {
		if got := losses["recomputed"][i]; math.Abs(got-want) > 1e-4*want {
			t.Errorf("update %d: loss %g where blocks are computed again, %g where not", i+1, got, want)
		}
		if got := losses["bf16"][i]; math.Abs(got-want) > 0.05*want {
			t.Errorf("update %d: loss %g in bfloat16, %g in float32", i+1, got, want)
		}
	}
}

// TestMask2FormerDevices: two devices learn what one learns, and a training on two
// that is interrupted ends with the same bytes.
func TestMask2FormerDevices(t *testing.T) {
	b := backendtest.XLA(t, 2)
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("compiles a Mask2Former four times, minutes of CPU: set WSSS_VERIFY=1")
	}
	job := func(devices int) Job {
		j := mask2formerJob(t, t.TempDir())
		j.Backend, j.ValSplit = b, ""
		onResNet(&j.Config)
		j.Config.Devices, j.Config.LR, j.Config.Mask2Former.Layers, j.Config.Iterations = devices, 1e-4, 1, 4
		return j
	}
	onTwo(t, job)
}

// stripes are images of many classes, a stripe each, of which a crop shows all or
// some.
type stripes struct{ classes, n int }

func (stripes) Name() string     { return "stripes" }
func (stripes) Splits() []string { return []string{"train"} }
func (s stripes) Classes() data.Classes {
	names := []string{"background"}
	for i := 1; i < s.classes; i++ {
		names = append(names, fmt.Sprintf("class %d", i))
	}
	return data.Classes{Names: names}
}
func (s stripes) IDs(string) (ids []string, err error) {
	for i := range s.n {
		ids = append(ids, fmt.Sprintf("img_%d", i))
	}
	return ids, nil
}
func (stripes) ImagePath(id string) string { return id + ".png" }
func (s stripes) Load(id string, _ data.Want) (*data.Sample, error) {
	var i int
	fmt.Sscanf(id, "img_%d", &i)
	const side = 40
	img, truth := image.NewNRGBA(image.Rect(0, 0, side, side)), data.NewLabelMap(side, side)
	for y := range side {
		for x := range side {
			c := x * (s.classes >> (i % 3)) / side // all classes, half, a quarter
			truth.Set(x, y, uint8(c))
			img.SetNRGBA(x, y, color.NRGBA{uint8(40 * c), uint8(200 - 9*c), uint8(97 * c), 255})
		}
	}
	return &data.Sample{ID: id, Image: img, Truth: truth}, nil
}

// TestMask2FormerManyClasses: all classes of an image are learnt, however many the
// batch has, and a training whose batches take graphs of several sizes resumes to
// the same bytes; of more classes than queries the rest have none.
func TestMask2FormerManyClasses(t *testing.T) {
	for _, queries := range []int{24, 5} {
		run := func(cut ...int) (string, *Result) {
			job := mask2formerJob(t, t.TempDir())
			job.Dataset, job.ValSplit = stripes{20, 6}, ""
			c := &job.Config
			c.Iterations, c.Batch, c.Scales, c.Mask2Former.Queries, c.Mask2Former.Objects = 6, 1, []float64{1}, queries, 4
			res, _ := interrupted(t, job, cut)
			return job.OutDir, res
		}
		whole, res := run()
		if !(res.Loss > 0) {
			t.Errorf("%d queries: loss %g", queries, res.Loss)
		}
		cut, _ := run(3)
		sameFiles(t, whole, cut, checkpoints.FileName(6), LogFile)
	}
}

// TestPresent lists the classes of every label map.
func TestPresent(t *testing.T) {
	const void = data.Ignore
	labels := tensors.FromFlatDataAndDimensions([]uint8{3, 0, void, 3, void, void, 7, 1, 1, 254, 0, 0}, 3, 2, 2)
	var most int
	got := present(labels, func(n int) int { most = n; return n + 1 })
	if want := []int32{0, 3, -1, -1, 1, 7, -1, -1, 0, 1, 254, -1}; most != 3 || !slices.Equal(tensors.MustCopyFlatData[int32](got), want) {
		t.Errorf("at most %d: %v", most, got)
	}
}

// TestMask2FormerInit: weights of another backbone are refused by name.
func TestMask2FormerInit(t *testing.T) {
	job := mask2formerJob(t, t.TempDir())
	job.Config.Init = "../models/mask2former/testdata/resnet.safetensors"
	if _, err := Run(context.Background(), job); err == nil || !strings.Contains(err.Error(), "resnet.safetensors: the file lacks") {
		t.Errorf("error %v", err)
	}
	job.Config.Init = "../models/mask2former/testdata/swin.safetensors" // of another width
	if _, err := Run(context.Background(), job); err == nil || !strings.Contains(err.Error(), "check train.network.backbone and train.network.width") {
		t.Errorf("error %v", err)
	}
}
