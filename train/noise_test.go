package train

import (
	"context"
	"image"
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
	"wsss/gen"
	"wsss/models"
)

// TestLoss checks values and gradients against the formulas, for two pixels of
// three classes and an ignored one.
func TestLoss(t *testing.T) {
	z := [][]float64{{1, 2, 0.5}, {3, -1, 0}, {9, 9, 9}}
	labels := []uint8{0, 2, data.Ignore}
	for _, c := range []struct {
		name    string
		loss    Loss
		weights []float32
		update  float32
		learned []float32
	}{
		{"plain", Loss{}, nil, 1, nil},
		{"weighted", Loss{}, []float32{0.25, 0.75, 1}, 1, nil},
		{"weightless", Loss{}, []float32{0, 0, 1}, 1, nil},
		{"bootstrap", Loss{Bootstrap: 0.3}, nil, 1, nil},
		{"clip", Loss{Clip: 2}, nil, 1, nil},
		{"correct", Loss{Correct: 0.8}, nil, 1, nil}, // the network gives its class of the second pixel 0.94, of the first 0.63
		{"correct more", Loss{Correct: 0.6}, nil, 1, nil},
		{"all", Loss{Bootstrap: 0.2, Clip: 1.5}, []float32{0.5, 1, 0}, 1, nil},
		{"warming up", Loss{Bootstrap: 0.2, Clip: 1.5, Correct: 0.7, Warmup: 7}, []float32{0.5, 1, 0}, 7, nil},
		{"warm", Loss{Bootstrap: 0.2, Clip: 1.5, Correct: 0.7, Warmup: 7}, []float32{0.5, 1, 0}, 8, nil},
		{"no class learnt", Loss{Bootstrap: 0.2, Clip: 1.5, Correct: 0.7, ByClass: true}, nil, 1, []float32{0, 1, 0}},
		{"one learnt", Loss{Bootstrap: 0.2, Clip: 1.5, ByClass: true}, nil, 1, []float32{1, 0, 0}},
		{"another learnt", Loss{Correct: 0.7, ByClass: true}, nil, 1, []float32{0, 0, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want, count float64
			grad := make([]float64, 9)
			for i, row := range z {
				if labels[i] == data.Ignore {
					continue
				}
				w := 1.0
				if c.weights != nil {
					w = float64(c.weights[i])
				}
				sum, best := 0.0, 0
				for k, v := range row {
					sum += math.Exp(v)
					if v > row[best] {
						best = k
					}
				}
				b, clip, correct, label := c.loss.Bootstrap, c.loss.Clip, c.loss.Correct, int(labels[i])
				if c.update <= float32(c.loss.Warmup) || c.learned != nil && c.learned[label] == 0 {
					b, clip, correct = 0, 0, 0
				}
				if correct > 0 && math.Exp(row[best])/sum >= correct {
					label = best
				}
				cost := math.Log(sum) - (1-b)*row[label] - b*row[best]
				count += w
				if clip > 0 && cost > clip {
					want += w * clip
					continue
				}
				want += w * cost
				for k, v := range row {
					grad[3*i+k] += w * math.Exp(v) / sum
				}
				grad[3*i+label] -= w * (1 - b)
				grad[3*i+best] -= w * b
			}
			count = max(count, map[bool]float64{true: 1, false: 0}[count == 0])
			learned := append(slices.Clone(c.learned), 0, 0, 0)[:3]
			got := MustExecOnceN(openOne(t), func(logits, labels, weights, update, learned *Node) []*Node {
				if c.weights == nil {
					weights = nil
				}
				l := c.loss.Mean(logits, labels, weights, Moment{update, learned})
				return append([]*Node{l}, Gradient(l, logits)...)
			}, tensors.FromFlatDataAndDimensions([]float32{1, 2, 0.5, 3, -1, 0, 9, 9, 9}, 1, 1, 3, 3),
				tensors.FromFlatDataAndDimensions(labels, 1, 1, 3), tensors.FromFlatDataAndDimensions(append(c.weights, 0, 0, 0)[:3], 1, 1, 3), c.update, learned)
			if l := float64(got[0].Value().(float32)); math.Abs(l-want/count) > 1e-6 {
				t.Errorf("loss %g, want %g", l, want/count)
			}
			tensors.MustConstFlatData(got[1], func(flat []float32) {
				for i, g := range flat {
					if math.Abs(float64(g)-grad[i]/count) > 1e-6 {
						t.Errorf("gradient[%d] = %g, want %g", i, g, grad[i]/count)
					}
				}
			})
		})
	}
}

// TestNoiseWarmup trains with and without bootstrapping and a bounded loss that
// begin in the middle: the first half is the same to the last bit, the second
// is not, and a training interrupted on either side ends as an undisturbed one.
func TestNoiseWarmup(t *testing.T) {
	for _, accumulate := range []int{1, 2} {
		run := func(cut []int, change func(*configs.Train)) (dir string, losses []float64) {
			job := tinyJob(t, t.TempDir())
			job.Config.Iterations, job.Config.Accumulate, job.Config.ValEvery = 12, accumulate, 0
			change(&job.Config)
			losses, _ = learn(t, job, cut...)
			return job.OutDir, losses
		}
		noisy := func(c *configs.Train) { c.Bootstrap, c.LossClip, c.NoiseWarmup = 0.5, 1, 0.5 }
		_, plain := run(nil, func(*configs.Train) {})
		whole, late := run(nil, noisy)
		if len(plain) != 12 || !slices.Equal(plain[:6], late[:6]) || plain[6] == late[6] {
			t.Errorf("accumulate %d: losses %v, plain %v: want them to part at the seventh", accumulate, late, plain)
		}
		cut, _ := run([]int{4, 6, 9}, noisy)
		sameFiles(t, whole, cut, checkpoints.FileName(12), LogFile)
	}
}

func TestWeightedRegions(t *testing.T) {
	m := data.NewLabelMap(6, 1)
	copy(m.Pix, []uint8{0, 3, 3, 20, data.Ignore, 20})
	conf := []float32{1, 0, 0.5, 0.9, 0.3, 2}
	r := weighted(m, conf)
	for i, v := range r.m.Pix {
		if r.label[v] != m.Pix[i] {
			t.Errorf("pixel %d: label %d, want %d", i, r.label[v], m.Pix[i])
		}
		if want := min(conf[i], 1); m.Pix[i] != data.Ignore && math.Abs(float64(r.weight[v]-want)) > 0.51/63 {
			t.Errorf("pixel %d: weight %g, want %g", i, r.weight[v], want)
		}
	}
	// Every class at once still fits beside 255.
	all := data.NewLabelMap(255, 1)
	for i := range all.Pix {
		all.Pix[i] = uint8(i)
	}
	r = weighted(all, make([]float32, 255))
	for i, v := range r.m.Pix {
		if v == data.Ignore || r.label[v] != uint8(i) {
			t.Fatalf("label %d became region %d of label %d", i, v, r.label[v])
		}
	}
}

// scoredLabels is a folder of the true masks of squares{8} whose sidecars score
// them 0.25.
func scoredLabels(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	ids, _ := squares{8}.IDs("train")
	for i, id := range ids {
		s, _ := squares{8}.Load(id, 0)
		if err := data.WriteLabelMap(filepath.Join(dir, id+".png"), s.Truth); err != nil {
			t.Fatal(err)
		}
		class := 1 + i%2
		bits := make([]uint8, len(s.Truth.Pix))
		for k, v := range s.Truth.Pix {
			if int(v) == class {
				bits[k] = 1
			}
		}
		rle := data.EncodeRLE(bits, s.Truth.W, s.Truth.H)
		side := gen.Sidecar{ID: id, Width: s.Truth.W, Height: s.Truth.H, Masks: []gen.SidecarMask{
			{Mask: gen.Mask{Class: class, Score: 0.25}, RLE: rle.COCOString()},
		}}
		if err := files.WriteJSON(filepath.Join(dir, id+".json"), side); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestConfidence trains on label maps with sidecars, by each use of the scores.
func TestConfidence(t *testing.T) {
	dir := scoredLabels(t)
	ids, _ := squares{8}.IDs("train")
	job := tinyJob(t, t.TempDir())
	job.LabelsDir = dir
	for _, c := range []struct {
		use    string
		min    float64
		ignore bool
		weight float32
	}{{"none", 0.9, false, 1}, {"mask", 0.2, false, 1}, {"mask", 0.5, true, 1}, {"weight", 0, false, 0.25}} {
		l := &loader{ds: job.Dataset, labelsDir: dir, scoresDir: dir, classes: 3, confidence: c.use, minScore: c.min}
		s, err := l.sample("train_01")
		if err != nil {
			t.Fatal(err)
		}
		r, err := l.regions(s)
		if err != nil {
			t.Fatal(err)
		}
		truth, _ := squares{8}.Load("train_01", 0)
		for k, v := range truth.Truth.Pix {
			label, weight := r.label[r.m.Pix[k]], r.weight[r.m.Pix[k]]
			want, wantWeight := v, float32(1)
			if v > 0 {
				wantWeight = c.weight
				if c.ignore {
					want = data.Ignore
				}
			}
			if label != want || want != data.Ignore && math.Abs(float64(weight-wantWeight)) > 0.01 {
				t.Fatalf("%s %g, pixel %d: label %d weight %g, want %d %g", c.use, c.min, k, label, weight, want, wantWeight)
			}
		}
	}
	job.Config.Iterations, job.Config.ValEvery, job.Config.Confidence = 4, 0, "weight"
	job.Config.Bootstrap, job.Config.LossClip = 0.1, 5
	if _, err := Run(context.Background(), job); err != nil {
		t.Fatal(err)
	}
	apart := job
	apart.LabelsDir, apart.ScoresDir, apart.OutDir = t.TempDir(), dir, t.TempDir()
	for _, id := range ids {
		s, _ := squares{8}.Load(id, 0)
		if err := data.WriteLabelMap(filepath.Join(apart.LabelsDir, id+".png"), s.Truth); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Run(context.Background(), apart); err != nil {
		t.Errorf("scores in another folder: %v", err)
	}
	sameFiles(t, job.OutDir, apart.OutDir, LogFile)
	var exact [2]Job // true masks have no scores: the key has no effect
	for i, use := range []string{"weight", "none"} {
		exact[i] = job
		exact[i].LabelsDir, exact[i].OutDir, exact[i].Config.Confidence = "", t.TempDir(), use
		if _, err := Run(context.Background(), exact[i]); err != nil {
			t.Fatalf("true masks, confidence = %s: %v", use, err)
		}
	}
	sameFiles(t, exact[0].OutDir, exact[1].OutDir, LogFile)
	if err := os.Remove(filepath.Join(dir, "train_02.json")); err != nil {
		t.Fatal(err)
	}
	job.OutDir = t.TempDir()
	if _, err := Run(context.Background(), job); err == nil || !strings.Contains(err.Error(), "train_02.json") || !strings.Contains(err.Error(), "train.noise.confidence") {
		t.Errorf("error %v: want the sidecar and the key", err)
	}
}

func TestMonitor(t *testing.T) {
	feed := func(m *monitor, from, to float64, n int) (err error) {
		for i := range n {
			if e := m.add(from + (to-from)*float64(i)/float64(n)); e != nil && err == nil {
				err = e
			}
		}
		return err
	}
	for _, c := range []struct {
		name  string
		limit float64
		rise  float64
		stops bool
	}{{"falls", 1.5, 0.1, false}, {"rises", 1.5, 9, true}, {"rises, unwatched", 0, 9, false}, {"rises a little", 1.5, 0.6, false}} {
		m := &monitor{limit: c.limit}
		if err := feed(m, 2, 0.5, 200); err != nil {
			t.Errorf("%s: %v while falling", c.name, err)
		}
		if err := feed(m, 0.5, c.rise, 200); (err != nil) != c.stops {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
	job := tinyJob(t, t.TempDir())
	job.Config.Iterations, job.Config.ValEvery, job.Config.Diverge = 200, 0, 1.0001
	job.Config.LR, job.Config.Momentum = 5, 0.99
	_, err := Run(context.Background(), job)
	if err == nil || !strings.Contains(err.Error(), "train.checkpoint.diverge") && !strings.Contains(err.Error(), "Lower train.optimizer.lr") {
		t.Errorf("error %v from a training with a learning rate of 5", err)
	}
}

// TestSelfLabel labels a training split with a trained network.
func TestSelfLabel(t *testing.T) {
	job := tinyJob(t, t.TempDir())
	job.Config.Iterations = 60
	res, err := Run(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	p, err := loadPredictor(job.Backend, res.Checkpoint, PredictOptions{}, func(configs.Train, int) (models.Segmenter, error) { return job.Net, nil })
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ds := tagged{squares{8}}
	dir := t.TempDir()
	if err := SelfLabel(context.Background(), p, ds, "train", dir, SelfOptions{Tags: true, MinScore: 0.6}, nil); err != nil {
		t.Fatal(err)
	}
	ids, _ := ds.IDs("train")
	for i, id := range ids {
		m, err := data.ReadLabelMap(filepath.Join(dir, id+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if m.Present()[2-i%2] {
			t.Errorf("%s: class %d is not among its tags", id, 2-i%2)
		}
		s, _ := ds.Load(id, 0)
		right, sure := 0, 0
		for k, v := range m.Pix {
			if v != data.Ignore {
				sure++
				if v == s.Truth.Pix[k] {
					right++
				}
			}
		}
		if sure < len(m.Pix)/2 || float64(right) < 0.95*float64(sure) {
			t.Errorf("%s: %d of %d sure pixels are right, of %d", id, right, sure, len(m.Pix))
		}
	}
	// Same network: kept. Other options: replaced.
	first := filepath.Join(dir, ids[0]+".png")
	if err := data.WriteLabelMap(first, data.NewLabelMap(1, 1)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		min  float64
		kept bool
	}{{0.6, true}, {0, false}} {
		if err := SelfLabel(context.Background(), p, ds, "train", dir, SelfOptions{Tags: true, MinScore: c.min}, nil); err != nil {
			t.Fatal(err)
		}
		if m, err := data.ReadLabelMap(first); err != nil || (m.W == 1) != c.kept {
			t.Errorf("minimum %g: %v, %v; kept %v", c.min, m.Size(), err, c.kept)
		}
	}
	selfRules(t, p, ds)
	again := job
	again.LabelsDir, again.OutDir, again.Config.Iterations = dir, t.TempDir(), 3
	if _, err := Run(context.Background(), again); err != nil {
		t.Errorf("second round: %v", err)
	}
	s, _ := ds.Load(ids[0], 0)
	prob, err := p.Probabilities(context.Background(), s.Image)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := p.Predict(context.Background(), s.Image)
	if err != nil {
		t.Fatal(err)
	}
	tensors.MustConstFlatData(prob, func(flat []float32) {
		for i, v := range labels.Pix {
			row := flat[3*i : 3*i+3]
			sum := row[0] + row[1] + row[2]
			if math.Abs(float64(sum-1)) > 1e-5 || row[v] < max(row[0], row[1], row[2]) {
				t.Fatalf("pixel %d: probabilities %v, label %d", i, row, v)
			}
		}
	})
	if err := SelfLabel(context.Background(), p, squares{8}, "train", t.TempDir(), SelfOptions{Tags: true}, nil); err == nil || !strings.Contains(err.Error(), "no tags") {
		t.Errorf("error %v for images without tags", err)
	}
	if _, err := p.Predict(context.Background(), image.NewNRGBA(image.Rectangle{})); err == nil {
		t.Error("labelled an empty image")
	}
}

// selfRules labels an image whose pseudo-labels have a hole, a wrong class and
// an undecided patch in the middle of the square, which the network knows well.
func selfRules(t *testing.T, p *Predictor, ds tagged) {
	const id, x0 = "train_01", 10 // a blue square
	s, _ := ds.Load(id, 0)
	pseudo := t.TempDir()
	ids, _ := ds.IDs("train")
	for _, other := range ids {
		s, _ := ds.Load(other, 0)
		m := s.Truth
		if other == id {
			m.Set(x0, 16, 0)
			m.Set(x0+1, 16, 1)
			m.Set(x0+2, 16, data.Ignore)
		}
		if err := data.WriteLabelMap(filepath.Join(pseudo, other+".png"), m); err != nil {
			t.Fatal(err)
		}
	}
	const void = data.Ignore
	for _, c := range []struct {
		rule string
		min  float64
		want [4]uint8 // hole, wrong class, undecided, right
	}{
		{"replace", 0.6, [4]uint8{2, 2, 2, 2}},
		{"agree", 0.6, [4]uint8{void, void, void, 2}},
		{"correct", 0.6, [4]uint8{2, 2, 2, 2}},
		{"replace", 1.1, [4]uint8{void, void, void, void}},
		{"agree", 1.1, [4]uint8{0, 1, void, 2}},
		{"correct", 1.1, [4]uint8{0, 1, void, 2}},
	} {
		dir := t.TempDir()
		o := SelfOptions{Rule: c.rule, MinScore: c.min, Tags: true, Labels: pseudo}
		if err := SelfLabel(context.Background(), p, ds, "train", dir, o, nil); err != nil {
			t.Fatal(err)
		}
		m, err := data.ReadLabelMap(filepath.Join(dir, id+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if got := [4]uint8(m.Pix[16*s.Truth.W+x0:]); got != c.want {
			t.Errorf("%s from a probability of %g: labels %v, want %v", c.rule, c.min, got, c.want)
		}
		// Other pseudo-labels make other labels of all but replace.
		path := filepath.Join(dir, ids[0]+".png")
		if err := data.WriteLabelMap(path, data.NewLabelMap(1, 1)); err != nil {
			t.Fatal(err)
		}
		o.Labels = t.TempDir()
		if err := os.CopyFS(o.Labels, os.DirFS(pseudo)); err != nil {
			t.Fatal(err)
		}
		first, _ := ds.Load(ids[0], 0)
		first.Truth.Set(0, 0, 1)
		if err := data.WriteLabelMap(filepath.Join(o.Labels, ids[0]+".png"), first.Truth); err != nil {
			t.Fatal(err)
		}
		if err := SelfLabel(context.Background(), p, ds, "train", dir, o, nil); err != nil {
			t.Fatal(err)
		}
		if m, err := data.ReadLabelMap(path); err != nil || (m.W == 1) != (c.rule == "replace") {
			t.Errorf("%s: %v, %v after a change of the pseudo-labels", c.rule, m.Size(), err)
		}
	}
	o := SelfOptions{Rule: "agree", Tags: true, Labels: t.TempDir()}
	if err := SelfLabel(context.Background(), p, ds, "train", t.TempDir(), o, nil); err == nil || !strings.Contains(err.Error(), "train_00.png") {
		t.Errorf("error %v without pseudo-labels", err)
	}
}

// tagged is squares with image tags.
type tagged struct{ squares }

func (d tagged) Load(id string, want data.Want) (*data.Sample, error) {
	s, err := d.squares.Load(id, want)
	for c := 1; c <= 2 && err == nil; c++ {
		if s.Truth.Present()[c] {
			s.Weak.Tags = append(s.Weak.Tags, c)
		}
	}
	return s, err
}
