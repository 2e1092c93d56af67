package train

import (
	"context"
	"errors"
	"image"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/augment"
	"wsss/gen"
	"wsss/train/batches"
)

// layeredNet is tinyNet with two layers.
type layeredNet struct{ tinyNet }

func (layeredNet) Layers() int { return 2 }
func (layeredNet) Layer(path string) int {
	switch {
	case strings.HasPrefix(path, "/backbone/conv1"), strings.HasPrefix(path, "/backbone/bn1"):
		return 0
	case strings.HasPrefix(path, "/backbone"):
		return 1
	}
	return 2
}

// TestLearningResumes: with each of the options, and with all, a training that is
// interrupted ends with the bytes of one that is not.
func TestLearningResumes(t *testing.T) {
	options := map[string]func(*configs.Train){
		"schedule": func(t *configs.Train) { t.Schedule, t.WarmUp = "cosine", 4 },
		"groups": func(t *configs.Train) {
			t.LayerDecay, t.DecayOf, t.ClipNorm, t.Optimizer, t.LR = 0.7, "kernels", 0.5, "adamw", 0.01
		},
		"weights": func(t *configs.Train) { t.Balance = "sqrt" },
		"augment": func(t *configs.Train) {
			t.Jitter, t.CopyPaste, t.ScaleBy, t.ScaleRange = []float64{0.4, 0.4, 0.4, 0.1}, 0.5, "crop-long", []float64{0.5, 2}
		},
	}
	each := slices.Collect(maps.Values(options))
	options["all"] = func(t *configs.Train) {
		for _, change := range each {
			change(t)
		}
		t.Accumulate = 2
	}
	for name, change := range options {
		t.Run(name, func(t *testing.T) {
			job := func() Job {
				j := tinyJob(t, t.TempDir())
				j.Net = layeredNet{tinyNet{3}}
				j.Config.Iterations = 10
				change(&j.Config)
				if err := j.Config.Validate(); err != nil {
					t.Fatal(err)
				}
				return j
			}
			whole, cut := job(), job()
			if _, err := Run(context.Background(), whole); err != nil {
				t.Fatal(err)
			}
			interrupted(t, cut, []int{3, 7})
			sameFiles(t, whole.OutDir, cut.OutDir, checkpoints.FileName(10), LogFile)
		})
	}
}

// TestPatience: a training without progress stops after so many validations, is
// finished then, and ends with the same bytes where it was interrupted.
func TestPatience(t *testing.T) {
	job := func() Job {
		j := tinyJob(t, t.TempDir())
		j.Config.Iterations, j.Config.ValEvery, j.Config.CheckpointEvery, j.Config.Patience = 60, 2, 7, 3
		j.Config.LR, j.Config.BNMomentum = 1e-30, 1e-30 // it learns nothing
		return j
	}
	whole, cut := job(), job()
	var line string
	whole.Log = func(s string) {
		if strings.HasPrefix(s, "stopped") {
			line = s
		}
	}
	res, err := Run(context.Background(), whole)
	if err != nil {
		t.Fatal(err)
	}
	if res.Steps != res.BestStep+6 || res.Steps >= 60 || !strings.Contains(line, "the best of the last 3 validations is no better") {
		t.Errorf("%+v; log %q", res, line)
	}
	again, err := Run(context.Background(), whole)
	if err != nil || !again.Skipped || again.Steps != res.Steps {
		t.Errorf("a second call: %+v, %v", again, err)
	}
	for _, at := range []int{3, res.Steps, 99} {
		ctx, cancel := context.WithCancel(context.Background())
		cut.Progress = func(done, _ int) {
			if done == at {
				cancel()
			}
		}
		_, err := Run(ctx, cut)
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	sameFiles(t, whole.OutDir, cut.OutDir, checkpoints.FileName(res.Steps), LogFile)
}

func TestLearningRefused(t *testing.T) {
	job := tinyJob(t, t.TempDir())
	for _, c := range []struct {
		change func(*configs.Train)
		want   string
	}{
		{func(t *configs.Train) { t.LayerDecay = 0.5 }, "does not tell its layers"},
		{func(t *configs.Train) { t.ClassWeights = []float64{1, 2} }, "class_weights has 2 numbers: wanted is one for each of the 3 classes"},
	} {
		j := job
		j.OutDir = t.TempDir()
		c.change(&j.Config)
		if _, err := Run(context.Background(), j); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestBalanced(t *testing.T) {
	counts := []classCount{{80, 100}, {20, 100}, {0, 0}, {5, 50}, {1, 1000}}
	got := balanced(counts, "frequency") // the median of 0.8, 0.2, 0.1 and 0.001 is 0.15
	want := []float64{0.1875, 0.75, 1, 1.5, 10}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			t.Errorf("weights %v, want %v", got, want)
			break
		}
	}
	if root := balanced(counts, "sqrt"); math.Abs(root[0]-math.Sqrt(0.1875)) > 1e-12 {
		t.Errorf("roots %v", root)
	}
	if none := balanced([]classCount{{}, {}}, "sqrt"); !slices.Equal(none, []float64{1, 1}) {
		t.Errorf("without a label: %v", none)
	}
}

// TestCopyPaste: objects of other images come over a crop with their labels, and
// their pixels are the object's.
func TestCopyPaste(t *testing.T) {
	l := &loader{ds: squares{8}, ids: []string{"img_0", "img_1", "img_2", "img_3"}, classes: 3, batch: 4, grids: []grid{{33, 33}}, order: &batches.Order{Seed: 1, N: 4},
		aug: augment.Options{Crop: 33, Scales: []float64{1}, Input: augment.Torch()}, copyPaste: 1}
	for _, never := range []bool{true, false} {
		if l.copyPaste = 1; never {
			l.copyPaste = 0
		}
		both := 0
		for i := range int64(8) {
			b, err := l.load(4 * i)
			if err != nil {
				t.Fatal(err)
			}
			for k := range 4 {
				labels, pixels := bytesAt(b, k)
				var seen [256]bool
				for p, v := range labels {
					seen[v] = true
					red, blue := pixels[3*p], pixels[3*p+2]
					if v == 1 && red < 1 || v == 2 && blue < 1 || v == 0 && (red > 1 || blue > 1) {
						t.Fatalf("label %d on a pixel of red %g, blue %g", v, red, blue)
					}
				}
				if seen[1] && seen[2] {
					both++
				}
			}
		}
		if never != (both == 0) {
			t.Errorf("%d crops with squares of two images; pasting %v", both, !never)
		}
	}
}

// bytesAt are the labels and the pixels of an image of a batch.
func bytesAt(b *batch, i int) (labels []uint8, pixels []float32) {
	n := b.labels[0].Size() / b.labels[0].Shape().Dim(0)
	flat, values := tensors.MustCopyFlatData[uint8](b.labels[0]), tensors.MustCopyFlatData[float32](b.images)
	return flat[i*n : (i+1)*n], values[3*i*n : 3*(i+1)*n]
}

// TestPasteByScore: of pseudo-labels only masks that score high enough are
// pasted, and labels without their sidecar are an error.
func TestPasteByScore(t *testing.T) {
	dir := t.TempDir()
	ds := squares{8}
	for _, id := range []string{"img_0", "img_1"} {
		s, err := ds.Load(id, data.WantTruth)
		if err != nil {
			t.Fatal(err)
		}
		if err := data.WriteLabelMap(filepath.Join(dir, id+".png"), s.Truth); err != nil {
			t.Fatal(err)
		}
		bits := make([]uint8, len(s.Truth.Pix))
		for i, v := range s.Truth.Pix {
			bits[i] = min(v, 1)
		}
		mask := gen.Mask{Class: 1, Score: 0.9}
		if id == "img_1" {
			mask = gen.Mask{Class: 2, Score: 0.4}
		}
		side := gen.Sidecar{ID: id, Width: s.Truth.W, Height: s.Truth.H, Masks: []gen.SidecarMask{
			{Mask: mask, RLE: data.EncodeRLE(bits, s.Truth.W, s.Truth.H).COCOString()}}}
		if err := files.WriteJSON(filepath.Join(dir, id+".json"), side); err != nil {
			t.Fatal(err)
		}
	}
	l := &loader{ds: ds, labelsDir: dir, scoresDir: dir, classes: 3, pasteMin: 0.5}
	for id, want := range map[string]int{"img_0": 1, "img_1": 0} {
		s, err := l.sample(id)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := l.objects(s)
		if err != nil || len(objects) != want {
			t.Errorf("%s: %d objects, %v; want %d", id, len(objects), err, want)
		}
	}
	os.Remove(filepath.Join(dir, "img_0.json"))
	if _, err := l.objects(&data.Sample{ID: "img_0", Image: image.NewNRGBA(image.Rect(0, 0, 4, 4)), Truth: data.NewLabelMap(4, 4)}); err == nil || !strings.Contains(err.Error(), "train.augment.copy_paste reads") {
		t.Errorf("without its sidecar: %v", err)
	}
}

// TestClassWeights: the mean is weighted by the label's class, as PyTorch's.
func TestClassWeights(t *testing.T) {
	z := [][]float32{{1, 2, 0.5}, {3, -1, 0}, {0, 0, 1}}
	labels := []uint8{0, 2, data.Ignore}
	weights := []float64{0.5, 7, 3}
	var sum, of float64
	for i, row := range z[:2] {
		all := 0.0
		for _, v := range row {
			all += math.Exp(float64(v))
		}
		w := weights[labels[i]]
		sum, of = sum+w*(math.Log(all)-float64(row[labels[i]])), of+w
	}
	exec := MustNewExec(openOne(t), func(logits, labels *Node) *Node {
		return Loss{Weights: weights}.Mean(logits, labels, nil, Moment{})
	})
	defer exec.Finalize()
	out, err := exec.Call1(tensors.FromFlatDataAndDimensions(slices.Concat(z...), 1, 1, 3, 3), tensors.FromFlatDataAndDimensions(labels, 1, 1, 3))
	if err != nil {
		t.Fatal(err)
	}
	if got := float64(tensors.ToScalar[float32](out)); math.Abs(got-sum/of) > 1e-6 {
		t.Errorf("loss %g, want %g", got, sum/of)
	}
}
