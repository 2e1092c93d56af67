package train

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/data"
	"wsss/models"
)

// badLabels is squares with one mask changed.
type badLabels struct {
	squares
	id     string
	change func(*data.Sample)
}

func (b badLabels) Load(id string, want data.Want) (*data.Sample, error) {
	s, err := b.squares.Load(id, want)
	if err == nil && id == b.id {
		b.change(s)
	}
	return s, err
}

func TestLabelOutOfRange(t *testing.T) {
	job := tinyJob(t, t.TempDir())
	job.Dataset = badLabels{squares{8}, "train_05", func(s *data.Sample) { s.Truth.Set(7, 9, 3) }}
	_, err := Run(context.Background(), job)
	if err == nil || !strings.Contains(err.Error(), "train_05") || !strings.Contains(err.Error(), "pixel (7,9) has value 3") {
		t.Errorf("error %v: want the image and the pixel", err)
	}
}

func TestLabelFiles(t *testing.T) {
	write := func(t *testing.T, dir string, change func(id string, m *data.LabelMap) *data.LabelMap) {
		ids, _ := squares{8}.IDs("train")
		for _, id := range ids {
			s, _ := squares{8}.Load(id, 0)
			if m := change(id, s.Truth); m != nil {
				if err := data.WriteLabelMap(filepath.Join(dir, id+".png"), m); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(id string, m *data.LabelMap) *data.LabelMap
		want   []string
	}{
		{"missing", func(id string, m *data.LabelMap) *data.LabelMap {
			if id == "train_03" {
				return nil
			}
			return m
		}, []string{"1 of 8 label maps are missing", "train_03.png"}},
		{"size", func(_ string, m *data.LabelMap) *data.LabelMap { return data.NewLabelMap(m.W+1, m.H) }, []string{".png", "pixels"}},
		{"value", func(_ string, m *data.LabelMap) *data.LabelMap { m.Set(2, 1, 77); return m }, []string{".png", "pixel (2,1) has value 77"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			job := tinyJob(t, t.TempDir())
			job.LabelsDir = t.TempDir()
			write(t, job.LabelsDir, c.change)
			_, err := Run(context.Background(), job)
			for _, w := range c.want {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("error %v lacks %q", err, w)
				}
			}
		})
	}
	t.Run("other labels", func(t *testing.T) {
		job := tinyJob(t, t.TempDir())
		job.Config.Iterations = 2
		job.LabelsDir = t.TempDir()
		write(t, job.LabelsDir, func(_ string, m *data.LabelMap) *data.LabelMap { return m })
		if _, err := Run(context.Background(), job); err != nil {
			t.Fatal(err)
		}
		write(t, job.LabelsDir, func(_ string, m *data.LabelMap) *data.LabelMap { m.Set(0, 0, 1); return m })
		if res, err := Run(context.Background(), job); err != nil || res.Skipped || res.From != 0 {
			t.Fatalf("labels that changed: %+v, %v, want a new training", res, err)
		}
		job.ConfigHash, job.Restart = "other", true
		if res, err := Run(context.Background(), job); err != nil || res.Skipped || res.From != 0 {
			t.Fatalf("restarted: %+v, %v", res, err)
		}
	})
}

// spikyNet gives infinite logits for an image with white pixels.
type spikyNet struct{ tinyNet }

func (n spikyNet) Logits(scope *model.Scope, x *Node, training bool) []*Node {
	maps := n.tinyNet.Logits(scope, x, training)
	if training {
		white := GreaterThan(ReduceAllMax(x), Const(x.Graph(), float32(2.4)))
		maps[0] = Mul(maps[0], Where(white, Const(x.Graph(), float32(math.Inf(1))), Const(x.Graph(), float32(1))))
	}
	return maps
}

// TestNotFinite stops before a poisoned checkpoint and names the images.
func TestNotFinite(t *testing.T) {
	for _, accumulate := range []int{1, 2} {
		t.Run(fmt.Sprintf("accumulate %d", accumulate), func(t *testing.T) {
			job := tinyJob(t, t.TempDir())
			job.Net = spikyNet{tinyNet{3}}
			job.Config.Accumulate, job.Config.CheckpointEvery, job.Config.ValEvery = accumulate, 1, 0
			job.Config.LR = 1e-9
			job.Config.Batch = 1
			job.Dataset = badLabels{squares{8}, "train_06", func(s *data.Sample) {
				for i := range s.Image.Pix {
					s.Image.Pix[i] = 255
				}
			}}
			_, err := Run(context.Background(), job)
			if err == nil || !strings.Contains(err.Error(), "train_06") || !strings.Contains(err.Error(), "Lower train.optimizer.lr") {
				t.Fatalf("error %v: want it to name train_06", err)
			}
			log, err := ReadLog(filepath.Join(job.OutDir, LogFile))
			if err != nil {
				t.Fatal(err)
			}
			if last := log[len(log)-1]; !strings.Contains(last.Event, "train_06") {
				t.Errorf("log ends with %+v, want the reason", last)
			}
			entries, err := checkpoints.List(job.OutDir)
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) > 0 && entries[len(entries)-1].Step != log[len(log)-1].Step-1 {
				t.Errorf("newest checkpoint is of step %d, the bad update was %d", entries[len(entries)-1].Step, log[len(log)-1].Step)
			}
		})
	}
}

func TestAdvise(t *testing.T) {
	c := configs.Default().Train
	for _, c2 := range []struct {
		err  string
		want string
	}{
		{"RESOURCE_EXHAUSTED: Out of memory while trying to allocate 123 bytes", "train.batch = 3 with train.accumulate = 4"},
		{"Non-zero status code: Failed to allocate memory for requested buffer of size 99", "train.batch = 3"},
		{"INTERNAL: CUBLAS_STATUS_ALLOC_FAILED", "then train.compute.recompute = 4"},
		{"Allocator ran out of memory trying to allocate 2 GiB", `then train.compute.precision = "bf16"`},
		{"shapes do not match", ""},
	} {
		got := advise(errors.New(c2.err), c)
		if c2.want == "" && got.Error() != c2.err || !strings.Contains(got.Error(), c2.want) || !strings.Contains(got.Error(), c2.err) {
			t.Errorf("advise(%q) = %v", c2.err, got)
		}
	}
	c.Batch, c.Recompute, c.Precision = 1, 4, "bf16"
	if got := advise(errors.New("out of memory"), c); strings.Contains(got.Error(), "train.batch =") ||
		strings.Contains(got.Error(), "recompute") || strings.Contains(got.Error(), "precision") || !strings.Contains(got.Error(), "train.augment.crop") {
		t.Errorf("advice for a batch of one: %v", got)
	}
	if advise(nil, c) != nil {
		t.Error("advice without an error")
	}
}

func TestShrinkLabels(t *testing.T) {
	// PIL: Image.fromarray(arange(49).reshape(7, 7)).resize((3, 3), NEAREST)
	src := make([]uint8, 49)
	for i := range src {
		src[i] = uint8(i)
	}
	dst := make([]uint8, 9)
	shrinkLabels(dst, grid{3, 3}, src, 7)
	want := []uint8{8, 10, 12, 22, 24, 26, 36, 38, 40}
	for i := range want {
		if dst[i] != want[i] {
			t.Fatalf("got %v, want %v", dst, want)
		}
	}
}

func TestCurves(t *testing.T) {
	dir := t.TempDir()
	miou := 0.5
	var log []Record
	for i := range 500 {
		log = append(log, Record{Step: i + 1, Loss: 1 / float64(i+1), LR: []float64{0.1}})
	}
	log = append(log, Record{Step: 500, ValMIoU: &miou})
	if err := writeCurves(dir, "a <b> & c", log); err != nil {
		t.Fatal(err)
	}
	for _, name := range curveFiles {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if s := string(raw); !strings.Contains(s, "a &lt;b&gt; &amp; c") || strings.Contains(s, "NaN") || strings.Contains(s, "Inf") || !strings.Contains(s, "<polyline") {
			t.Errorf("%s: %s", name, s)
		}
	}
}

// TestPredictor compares stretched with exact prediction and checks the bound on
// compiled sizes.
func TestPredictor(t *testing.T) {
	job := tinyJob(t, t.TempDir())
	job.Config.Iterations = 60
	res, err := Run(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	load := func(opts PredictOptions) *Predictor {
		build := func(configs.Train, int) (models.Segmenter, error) { return job.Net, nil }
		p, err := loadPredictor(job.Backend, res.Checkpoint, opts, build)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		return p
	}
	exact, stretched, tta := load(PredictOptions{Shapes: 2}), load(PredictOptions{Bucket: 128}), load(PredictOptions{Scales: []float64{1, 1.5}, Flip: true})
	for i := range 6 {
		s, _ := squares{6}.Load(fmt.Sprintf("val_%02d", i), 0)
		want, err := exact.Predict(context.Background(), s.Image)
		if err != nil {
			t.Fatal(err)
		}
		if n := exact.graphs.Len(); n > 2 {
			t.Errorf("%d graphs kept, want at most 2", n)
		}
		for name, p := range map[string]*Predictor{"stretched": stretched, "scales and flip": tta} {
			got, err := p.Predict(context.Background(), s.Image)
			if err != nil {
				t.Fatal(err)
			}
			if got.Size() != s.Image.Rect.Size() {
				t.Fatalf("%s: %v for an image of %v", name, got.Size(), s.Image.Rect)
			}
			if same := agreement(got, want); same < 0.97 {
				t.Errorf("%s: %.1f %% of the pixels agree with the exact prediction, want 97", name, 100*same)
			}
		}
	}
	for side, want := range map[int]int{36: 36, 38: 40, 47: 48, 49: 48, 51: 48, 52: 56, 500: 512, 1000: 1024} {
		if got := stretched.Shape(image.Pt(side, 20)).X; got != want {
			t.Errorf("a side of %d is seen as %d, want %d", side, got, want)
		}
	}
	if _, err := exact.Predict(context.Background(), image.NewNRGBA(image.Rect(0, 0, 0, 5))); err == nil {
		t.Error("an empty image was labelled")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := exact.Predict(ctx, image.NewNRGBA(image.Rect(0, 0, 5, 5))); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after the end of the context", err)
	}
}

func agreement(a, b *data.LabelMap) float64 {
	same := 0
	for i, v := range a.Pix {
		if v == b.Pix[i] {
			same++
		}
	}
	return float64(same) / float64(len(a.Pix))
}
