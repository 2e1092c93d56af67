package clip

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/data"
	"wsss/data/augment"
	"wsss/data/imageproc"
	"wsss/data/scenes"
	"wsss/data/weak"
	"wsss/models/backend"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation/cliptags"
	"wsss/models/onnximport/ortref"
	"wsss/train/multilabel"
	"wsss/train/runlog"
)

var pictures = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "wsss-clip-scenes")
	if err != nil {
		return "", err
	}
	cfg := scenes.DefaultConfig()
	cfg.Train, cfg.Val, cfg.MinSize, cfg.MaxSize, cfg.Classes = 24, 12, 40, 56, 3
	return dir, scenes.Write(context.Background(), dir, cfg, nil)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := pictures(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

func openOne(t testing.TB) compute.Backend {
	t.Helper()
	return backendtest.One(t)
}

func dataset(t testing.TB) data.Dataset {
	t.Helper()
	dir, err := pictures()
	if err != nil {
		t.Fatal(err)
	}
	ds, err := data.Open("scenes", data.Options{Root: dir, Extra: map[string]any{"train": 24, "val": 12, "min_size": 40, "max_size": 56, "classes": 3}})
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func job(t testing.TB, change func(*configs.FineTuneCLIP)) Job {
	cfg := configs.Default().FineTuneCLIP
	cfg.Encoder, cfg.Epochs, cfg.Batch, cfg.LR, cfg.WeightDecay, cfg.WarmUp = tinyVision, 2, 8, 1e-3, 0.05, 0.5
	if change != nil {
		change(&cfg)
	}
	return Job{Dataset: dataset(t), Split: "train", ValSplit: "val", Config: cfg, Seed: 1, Backend: openOne(t), OutDir: t.TempDir(), ConfigHash: "x"}
}

// TestResume kills a training at every second update; all files end up with
// the same bytes.
func TestResume(t *testing.T) {
	whole := job(t, func(c *configs.FineTuneCLIP) { c.Loss, c.Augment = "asl", "strong" })
	want, err := Run(context.Background(), whole)
	if err != nil {
		t.Fatal(err)
	}
	parts := whole
	parts.OutDir = t.TempDir()
	var got *multilabel.Result
	for stops := 0; ; stops++ {
		ctx, cancel := context.WithCancel(context.Background())
		updates := 0
		parts.Progress = func(int, int) {
			if updates++; updates == 2 {
				cancel()
			}
		}
		got, err = Run(ctx, parts)
		cancel()
		if err == nil {
			if stops < 2 {
				t.Fatalf("stopped %d times: the test tests nothing", stops)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if got.BestStep != want.BestStep || got.Steps != 6 || got.From == 0 {
		t.Errorf("result %+v, want %+v", got, want)
	}
	names := map[string]bool{}
	for _, dir := range []string{whole.OutDir, parts.OutDir} {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			names[e.Name()] = true
		}
	}
	if len(names) < 4 {
		t.Errorf("only %v were written", names)
	}
	for name := range names {
		a, errA := os.ReadFile(filepath.Join(whole.OutDir, name))
		b, errB := os.ReadFile(filepath.Join(parts.OutDir, name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs (%v, %v)", name, errA, errB)
		}
	}
	again, err := Run(context.Background(), parts)
	if err != nil || !again.Skipped {
		t.Errorf("a finished training: %+v, %v", again, err)
	}
	parts.ConfigHash = "y"
	if _, err := Run(context.Background(), parts); !errors.Is(err, multilabel.ErrOtherRun) {
		t.Errorf("another config: %v", err)
	}
}

func TestLearns(t *testing.T) {
	for _, kind := range []string{"softmax", "bce"} {
		j := job(t, func(c *configs.FineTuneCLIP) {
			c.Loss, c.Epochs, c.LayerDecay, c.ValEvery, c.LR, c.Augment = kind, 20, 0.9, 0, 3e-3, "none"
		})
		res, err := Run(context.Background(), j)
		if err != nil {
			t.Fatal(err)
		}
		log, err := runlog.Read[multilabel.Record](filepath.Join(j.OutDir, runlog.File))
		if err != nil {
			t.Fatal(err)
		}
		mean := func(records []multilabel.Record) (sum float64) {
			for _, rec := range records {
				sum += rec.Loss / float64(len(records))
			}
			return sum
		}
		if first, last := mean(log[:6]), mean(log[54:60]); last > 0.9*first {
			t.Errorf("%s: loss %g after %g", kind, last, first)
		}
		if res.Val == nil || res.Val.MAP <= 0 || res.Val.MAP > 1 || len(res.Val.AP) != 3 {
			t.Errorf("%s: validation %+v", kind, res.Val)
		}
	}
}

// TestHeldOut: with images held out, the best checkpoint is chosen on them, not
// on the split that is reported.
func TestHeldOut(t *testing.T) {
	j := job(t, func(c *configs.FineTuneCLIP) { c.Epochs, c.Calibrate = 1, 0.25 })
	res, err := Run(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	if res.Val == nil || res.Val.Images != 6 || res.Steps != 2 {
		t.Errorf("%d updates, validated on %+v, want 2 and the 6 of 24 images held out", res.Steps, res.Val)
	}
}

func TestFreeze(t *testing.T) {
	b := openOne(t)
	for freeze, want := range map[int]int{-1: 4, 0: 44, 1: 23, 2: 7} {
		cfg := job(t, nil).Config
		cfg.Freeze = freeze
		n, err := newNetwork(b, cfg, 3, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		moving := 0
		for v := range n.store.IterVariables() {
			if n.rate(v.Path()) > 0 && v.DType() == dtypes.Float32 {
				moving++
			}
		}
		n.Close()
		if moving != want {
			t.Errorf("freeze %d: %d variables move, want %d", freeze, moving, want)
		}
	}
	cfg := job(t, nil).Config
	cfg.Freeze = 3
	if _, err := newNetwork(b, cfg, 3, 1, nil); err == nil || !strings.Contains(err.Error(), "2 blocks") {
		t.Errorf("more than there are: %v", err)
	}
}

// TestExport runs the exported classifier on the importer and, where found, on
// ONNX Runtime, and compares with the network it was made from.
func TestExport(t *testing.T) {
	j := job(t, nil)
	res, err := Run(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	l, err := cliptags.Open(j.Backend, res.Classifier)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !slices.Equal(l.Classes, j.Dataset.Classes().Names) || l.Step != res.BestStep || len(l.Threshold) != 3 {
		t.Errorf("description %+v", l.Description)
	}
	want := predictions(t, j, res.Best)
	ids, err := j.Dataset.IDs("val")
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		s, err := j.Dataset.Load(id, data.WantImage)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.Scores(context.Background(), imageproc.FromImage(s.Image))
		if err != nil {
			t.Fatal(err)
		}
		for c := range got {
			if math.Abs(float64(got[c]-want[i][c])) > 1e-5 {
				t.Errorf("%s: %v, want %v", id, got, want[i])
				break
			}
		}
		if i == 0 {
			ort(t, res.Classifier, l, s, want[0])
		}
	}
	path := filepath.Join(t.TempDir(), "tags.csv")
	if err := l.WriteTags(context.Background(), j.Dataset, "val", path, nil); err != nil {
		t.Fatal(err)
	}
	tags, err := weak.ReadTagCSV(path, j.Dataset.Classes())
	if err != nil || len(tags) != len(ids) {
		t.Fatalf("tag table of %d images, %v", len(tags), err)
	}
	for i, id := range ids {
		if want := l.Choose(want[i]); !slices.Equal(tags[id], want) {
			t.Errorf("%s: tags %v, want %v", id, tags[id], want)
		}
	}
}

// predictions are the probabilities of the validation images by the network
// that a checkpoint holds.
func predictions(t *testing.T, j Job, checkpoint string) (rows [][]float32) {
	t.Helper()
	n, err := newNetwork(j.Backend, j.Config, 3, j.Seed, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	c, err := checkpoints.Open(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for v := range n.store.IterVariables() {
		value, err := c.Tensor(checkpoints.WeightPrefix + v.Path())
		if err == nil {
			err = v.SetValue(value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_, forward, err := multilabel.Compile(j.Backend, n, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer forward.Finalize()
	ids, err := j.Dataset.IDs("val")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		s, err := j.Dataset.Load(id, data.WantImage)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, 3*n.size*n.size)
		n.Prepare(x, s.Image, nil)
		out, err := multilabel.Call(forward, tensors.FromFlatDataAndDimensions(x, 1, 3, n.size, n.size))
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, out[0])
	}
	return rows
}

func ort(t *testing.T, path string, l *cliptags.Labeler, s *data.Sample, want []float32) {
	if backend.FindORT() == "" {
		t.Log("no ONNX Runtime library: not compared with it")
		return
	}
	session, err := ortref.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	pixels := make([]float32, 3*l.Size*l.Size)
	prepare(pixels, imageproc.FromImage(s.Image), l.Size, "none", nil)
	out, err := session.Run(map[string]*tensors.Tensor{l.Input: tensors.FromFlatDataAndDimensions(pixels, 1, 3, l.Size, l.Size)})
	if err != nil {
		t.Fatal(err)
	}
	got := cliptags.Probabilities(l.Loss, tensors.MustCopyFlatData[float32](out[cliptags.LogitsName]))
	for c := range got {
		if math.Abs(float64(got[c]-want[c])) > 1e-5 {
			t.Errorf("ONNX Runtime: %v, want %v", got, want)
			break
		}
	}
}

func TestSchedule(t *testing.T) {
	cfg := configs.FineTuneCLIP{CLIPOptimizer: configs.CLIPOptimizer{LR: 1, LRMin: 0.1, WarmUp: 1}}
	for step, want := range map[int]float64{0: 0.1, 4: 0.5, 9: 1, 10: 1, 55: 0.55, 100: 0.1} {
		if got := rateAt(cfg, step, 100, 10); math.Abs(got-want) > 1e-9 {
			t.Errorf("step %d: %g, want %g", step, got, want)
		}
	}
}

func TestPrepare(t *testing.T) {
	img := imageproc.NewRGB(48, 32)
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 7)
	}
	make3 := func(kind string, seed int64) []float32 {
		dst := make([]float32, 3*16*16)
		copyOf := *img
		copyOf.Pix = slices.Clone(img.Pix)
		prepare(dst, &copyOf, 16, kind, rngOf(seed))
		return dst
	}
	plain := make3("none", 1)
	flipped := 0
	for seed := range int64(8) {
		x := make3("flip", seed)
		same := slices.Equal(x, plain)
		if !same {
			flipped++
			for i := range x {
				if at := i/16*16 + 15 - i%16; x[i] != plain[at] {
					t.Fatalf("seed %d: neither the picture nor its mirror image", seed)
				}
			}
		}
		if !slices.Equal(make3("strong", seed), make3("strong", seed)) {
			t.Error("the same seed, another picture")
		}
	}
	if flipped == 0 || flipped == 8 {
		t.Errorf("%d of 8 flipped", flipped)
	}
	if slices.Equal(make3("strong", 1), make3("strong", 2)) {
		t.Error("other seeds, the same picture")
	}
}

func rngOf(seed int64) *rand.Rand { return augment.RNG(seed, 0, 0) }

// TestTextHead: from prompts, the new layers begin as CLIP's own classifier,
// but for the mean that LayerNorm takes off.
func TestTextHead(t *testing.T) {
	b := openOne(t)
	cfg := job(t, nil).Config
	const width = 16
	text := make([][]float32, 3)
	rng := rngOf(4)
	for c := range text {
		text[c] = make([]float32, width)
		sum := 0.0
		for i := range text[c] {
			text[c][i] = float32(rng.NormFloat64())
			sum += float64(text[c][i])
		}
		for i := range text[c] { // without mean, LayerNorm changes nothing but the length
			text[c][i] -= float32(sum / width)
		}
		norm := 0.0
		for _, x := range text[c] {
			norm += float64(x) * float64(x)
		}
		for i := range text[c] {
			text[c][i] /= float32(math.Sqrt(norm))
		}
	}
	n, err := newNetwork(b, cfg, 3, 1, text)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	images := tensors.FromFlatDataAndDimensions(prepared(t, n.size), 1, 3, n.size, n.size)
	exec, err := model.NewExec(b, n.store, func(scope *model.Scope, x *Node) []*Node {
		return []*Node{n.embed(scope, x, false), n.logits(scope, x, false)}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := multilabel.Call(exec, images)
	if err != nil {
		t.Fatal(err)
	}
	mean, norm := 0.0, 0.0
	for _, x := range out[0] {
		mean += float64(x) / width
	}
	for _, x := range out[0] {
		norm += (float64(x) - mean) * (float64(x) - mean)
	}
	for c := range text {
		cosine := 0.0
		for i, x := range out[0] {
			cosine += (float64(x) - mean) * float64(text[c][i]) / math.Sqrt(norm)
		}
		if got := float64(out[1][c]); math.Abs(got-100*cosine) > 1e-2 {
			t.Errorf("class %d: logit %g, want %g", c, got, 100*cosine)
		}
	}
	if _, err := newNetwork(b, cfg, 3, 1, text[:2]); err == nil || !strings.Contains(err.Error(), "2 text embeddings") {
		t.Errorf("too few prompts: %v", err)
	}
}

func prepared(t *testing.T, size int) []float32 {
	t.Helper()
	ds := dataset(t)
	ids, err := ds.IDs("val")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ds.Load(ids[0], data.WantImage)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float32, 3*size*size)
	prepare(dst, imageproc.FromImage(s.Image), size, "none", nil)
	return dst
}
