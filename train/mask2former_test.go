package train

import (
	"context"
	"errors"
	"image"
	"strings"
	"testing"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/data"
	"wsss/models"
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
	for _, at := range []int{7, 99} {
		ctx, cancel := context.WithCancel(context.Background())
		cut.Progress = func(done, _ int) {
			if done == at {
				cancel()
			}
		}
		_, err := Run(ctx, cut)
		cancel()
		if at < 99 && !errors.Is(err, context.Canceled) || at == 99 && err != nil {
			t.Fatalf("cancelled at %d: error %v", at, err)
		}
	}
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
