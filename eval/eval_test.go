package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"wsss/data"
	"wsss/data/metrics"
	"wsss/data/scenes"
)

// memory is a dataset of label maps held in memory; images carry the truth in
// their red channel.
type memory struct {
	classes int
	ids     []string
	truth   map[string]*data.LabelMap
}

func (m *memory) Name() string { return "memory" }
func (m *memory) Classes() data.Classes {
	names := make([]string, m.classes)
	for i := range names {
		names[i] = fmt.Sprintf("c%d", i)
	}
	return data.Classes{Names: names}
}
func (m *memory) Splits() []string { return []string{"val"} }
func (m *memory) IDs(split string) ([]string, error) {
	if split != "val" {
		return nil, fmt.Errorf("no split %q: there is val", split)
	}
	return m.ids, nil
}
func (m *memory) ImagePath(id string) string { return id + ".jpg" }
func (m *memory) Load(id string, want data.Want) (*data.Sample, error) {
	s := &data.Sample{ID: id}
	t := m.truth[id]
	if want&data.WantTruth != 0 {
		if t == nil {
			return nil, fmt.Errorf("%s: %w", id, data.ErrNoTruth)
		}
		s.Truth = t
	}
	if want&data.WantImage != 0 {
		if t == nil {
			t = data.NewLabelMap(8, 8)
		}
		s.Image = image.NewNRGBA(image.Rect(0, 0, t.W, t.H))
		for i, v := range t.Pix {
			s.Image.Pix[4*i] = v
		}
	}
	return s, nil
}

// sample makes n images of w×h with rectangles of several classes and a void
// frame, and predictions that are shifted by two pixels.
func sample(n, w, h, classes int) (*memory, map[string]*data.LabelMap) {
	m := &memory{classes: classes, truth: map[string]*data.LabelMap{}}
	preds := map[string]*data.LabelMap{}
	for i := range n {
		id := fmt.Sprintf("2007_%06d", i)
		truth, pred := data.NewLabelMap(w, h), data.NewLabelMap(w, h)
		c := uint8(1 + i%(classes-1))
		for y := h / 5; y < h*4/5; y++ {
			for x := w / 6; x < w*2/3; x++ {
				v := c
				if x == w/6 || y == h/5 {
					v = data.Ignore
				}
				truth.Set(x, y, v)
				pred.Set(x+2, y+1+i%3, c)
			}
		}
		m.ids = append(m.ids, id)
		m.truth[id], preds[id] = truth, pred
	}
	return m, preds
}

func writeAll(t testing.TB, dir string, maps map[string]*data.LabelMap) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for id, m := range maps {
		f, err := os.Create(filepath.Join(dir, id+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(data.EncodeLabelMap(f, m), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFolder(t *testing.T) {
	ds, preds := sample(40, 50, 38, 21)
	dir := t.TempDir()
	writeAll(t, dir, preds)
	var last int
	r, err := Folder(context.Background(), ds, "val", dir, Options{Name: "boxes", Kind: KindPseudo, Boundary: true, Workers: 3}, func(done, total int) {
		if done != last+1 || total != 40 {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	// Count again, pixel by pixel.
	var tp, tr, pr [21]float64
	for id, truth := range ds.truth {
		for i, v := range truth.Pix {
			if v == data.Ignore {
				continue
			}
			tr[v]++
			pr[preds[id].Pix[i]]++
			if v == preds[id].Pix[i] {
				tp[v]++
			}
		}
	}
	mean := 0.0
	for c := range tp {
		iou := tp[c] / (tr[c] + pr[c] - tp[c])
		if iou != float64(r.IoU[c]) {
			t.Errorf("IoU of class %d = %v, want %v", c, r.IoU[c], iou)
		}
		mean += iou / 21
	}
	if math.Abs(mean-float64(r.MIoU)) > 1e-12 || r.Images != 40 || last != 40 {
		t.Errorf("mIoU %v over %d images, want %v over 40", r.MIoU, r.Images, mean)
	}
	if r.CI == nil || !(r.CI.Lo < mean && mean < r.CI.Hi) {
		t.Errorf("interval %+v does not hold %v", r.CI, mean)
	}
	if b := r.Boundary; b == nil || !(b.MIoU < r.MIoU) || !(b.Trimap < r.MIoU) {
		t.Errorf("boundary scores %+v: want below the mIoU of shifted rectangles", b)
	}

	again, err := Folder(context.Background(), ds, "val", dir, Options{Name: "boxes", Kind: KindPseudo, Boundary: true, Workers: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Seconds, r.PerSecond, again.Seconds, again.PerSecond = 0, 0, 0, 0
	a, errA := json.Marshal(r)
	b, errB := json.Marshal(again)
	if errA != nil || errB != nil || string(a) != string(b) {
		t.Errorf("results of 3 and 1 workers differ (%v, %v)", errA, errB)
	}
	var back Result
	if err := json.Unmarshal(a, &back); err != nil || back.MIoU != r.MIoU || len(back.PerImage) != 40 {
		t.Errorf("result does not survive JSON: %v", err)
	}
}

func TestFolderErrors(t *testing.T) {
	fresh := func(edit func(dir string, ds *memory, preds map[string]*data.LabelMap)) (*memory, string) {
		ds, preds := sample(8, 20, 16, 4)
		dir := t.TempDir()
		if edit != nil {
			edit(dir, ds, preds)
		}
		writeAll(t, dir, preds)
		return ds, dir
	}
	tests := []struct {
		name string
		edit func(dir string, ds *memory, preds map[string]*data.LabelMap)
		opts Options
		want string // part of the error; "" = none
	}{
		{"fine", nil, Options{}, ""},
		{"missing", func(_ string, ds *memory, p map[string]*data.LabelMap) {
			for _, id := range ds.ids[:7] {
				delete(p, id)
			}
		}, Options{}, "7 of 8 label maps of split \"val\" are missing: 2007_000000, 2007_000001, 2007_000002, 2007_000003, 2007_000004, …"},
		{"missing allowed", func(_ string, ds *memory, p map[string]*data.LabelMap) { delete(p, ds.ids[0]) }, Options{AllowMissing: true}, ""},
		{"size", func(_ string, ds *memory, p map[string]*data.LabelMap) {
			p[ds.ids[2]] = data.NewLabelMap(19, 16)
		}, Options{}, "2007_000002.png is 19×16 but the truth of 2007_000002 is 20×16"},
		{"range", func(_ string, ds *memory, p map[string]*data.LabelMap) { p[ds.ids[3]].Set(5, 1, 9) }, Options{}, "2007_000003.png: pixel (5,1) has value 9: allowed are 0..3 and 255"},
		{"range allowed", func(_ string, ds *memory, p map[string]*data.LabelMap) { p[ds.ids[3]].Set(5, 1, 9) }, Options{AllowOutOfRange: true}, ""},
		{"void is in range", func(_ string, ds *memory, p map[string]*data.LabelMap) { p[ds.ids[3]].Set(5, 1, 255) }, Options{}, ""},
		{"no truth", func(_ string, ds *memory, _ map[string]*data.LabelMap) { delete(ds.truth, ds.ids[1]) }, Options{}, "no ground-truth mask"},
		{"no truth allowed", func(_ string, ds *memory, _ map[string]*data.LabelMap) { delete(ds.truth, ds.ids[1]) }, Options{AllowNoTruth: true}, ""},
		{"escape", func(_ string, ds *memory, _ map[string]*data.LabelMap) { ds.ids[0] = "../x" }, Options{}, "leaves its folder"},
		{"not a PNG", func(dir string, ds *memory, p map[string]*data.LabelMap) {
			delete(p, ds.ids[4])
			os.WriteFile(filepath.Join(dir, ds.ids[4]+".png"), []byte("GIF89a"), 0o644)
		}, Options{}, "2007_000004.png"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ds, dir := fresh(tt.edit)
			_, err := Folder(context.Background(), ds, "val", dir, tt.opts, nil)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	ds, dir := fresh(nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Folder(ctx, ds, "val", dir, Options{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
	if _, err := Folder(context.Background(), ds, "val", filepath.Join(dir, "none"), Options{}, nil); err == nil {
		t.Error("absent folder: no error")
	}
	if _, err := Folder(context.Background(), ds, "test", dir, Options{}, nil); err == nil {
		t.Error("unknown split: no error")
	}
}

// copier predicts what the red channel says, and counts its calls.
type copier struct {
	calls atomic.Int64
	stop  int64 // fails after so many
}

func (c *copier) Predict(_ context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	if n := c.calls.Add(1); c.stop > 0 && n > c.stop {
		return nil, errors.New("power cut")
	}
	m := data.NewLabelMap(img.Rect.Dx(), img.Rect.Dy())
	for i := range m.Pix {
		if v := img.Pix[4*i]; v != data.Ignore && i%7 != 0 {
			m.Pix[i] = v
		}
	}
	return m, nil
}

func TestPredictResumes(t *testing.T) {
	ds, _ := sample(30, 40, 30, 5)
	dir := t.TempDir()
	opts := Options{RunHash: "abc", Workers: 2}
	if _, err := Predict(context.Background(), ds, "val", &copier{stop: 11}, dir, opts, nil); err == nil || !strings.Contains(err.Error(), "power cut") {
		t.Fatalf("error %v, want the predictor's", err)
	}
	have, _ := filepath.Glob(filepath.Join(dir, "*.png"))
	p := &copier{}
	r, err := Predict(context.Background(), ds, "val", p, dir, opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := int(p.calls.Load()); got != 30-len(have) || len(have) == 0 {
		t.Errorf("resumed run predicted %d images, %d were ready", got, len(have))
	}
	clean := t.TempDir()
	want, err := Predict(context.Background(), ds, "val", &copier{}, clean, opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.MIoU != want.MIoU || r.Images != 30 {
		t.Errorf("resumed mIoU %v over %d images, undisturbed %v", r.MIoU, r.Images, want.MIoU)
	}
	for _, id := range ds.ids {
		a, errA := os.ReadFile(filepath.Join(dir, id+".png"))
		b, errB := os.ReadFile(filepath.Join(clean, id+".png"))
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("%s.png differs after resuming", id)
		}
	}
	// Predictions that are all taken up keep their speed.
	if again, err := Predict(context.Background(), ds, "val", &copier{stop: -1}, clean, opts, nil); err != nil || again.PerSecond != want.PerSecond || again.PerSecond <= 0 {
		t.Errorf("taken up: %v images/s, predicted at %v (%v)", again.PerSecond, want.PerSecond, err)
	}
	// What was written is what was scored.
	f, err := Folder(context.Background(), ds, "val", dir, Options{}, nil)
	if err != nil || f.MIoU != r.MIoU {
		t.Errorf("the folder scores %v, Predict said %v (%v)", f.MIoU, r.MIoU, err)
	}

	// Another hash: everything is predicted again.
	p = &copier{}
	opts.RunHash = "def"
	if _, err := Predict(context.Background(), ds, "val", p, dir, opts, nil); err != nil || p.calls.Load() != 30 {
		t.Errorf("after a change %d images were predicted, want 30 (%v)", p.calls.Load(), err)
	}
	// No hash: never taken up.
	p = &copier{}
	opts.RunHash = ""
	for range 2 {
		if _, err := Predict(context.Background(), ds, "val", p, dir, opts, nil); err != nil {
			t.Fatal(err)
		}
	}
	if p.calls.Load() != 60 {
		t.Errorf("runs without a hash predicted %d images, want 60", p.calls.Load())
	}
	// Somebody else's label maps are not touched.
	foreign := t.TempDir()
	writeAll(t, foreign, map[string]*data.LabelMap{ds.ids[3]: data.NewLabelMap(40, 30)})
	if _, err := Predict(context.Background(), ds, "val", p, foreign, opts, nil); err == nil || !strings.Contains(err.Error(), RunFile) {
		t.Errorf("foreign folder: error %v", err)
	}
}

func TestPredictWithoutTruth(t *testing.T) {
	ds, _ := sample(5, 16, 12, 3)
	delete(ds.truth, ds.ids[4])
	if _, err := Predict(context.Background(), ds, "val", &copier{}, t.TempDir(), Options{}, nil); !errors.Is(err, data.ErrNoTruth) {
		t.Errorf("error %v, want ErrNoTruth", err)
	}
	r, err := Predict(context.Background(), ds, "val", &copier{}, t.TempDir(), Options{AllowNoTruth: true}, nil)
	if err != nil || r.Images != 4 || r.Unscored != 1 {
		t.Errorf("%+v, %v: want 4 scored and 1 unscored", r, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Predict(ctx, ds, "val", &copier{}, t.TempDir(), Options{AllowNoTruth: true}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}

func TestCompare(t *testing.T) {
	ds, preds := sample(40, 50, 38, 6)
	a, b := t.TempDir(), t.TempDir()
	writeAll(t, a, preds)
	writeAll(t, b, ds.truth)
	ra, errA := Folder(context.Background(), ds, "val", a, Options{}, nil)
	rb, errB := Folder(context.Background(), ds, "val", b, Options{}, nil)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	d, err := Compare(ra, rb, metrics.Boot{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Delta != float64(rb.MIoU)-float64(ra.MIoU) || d.Interval.Lo <= 0 || d.P != 0 {
		t.Errorf("truth against a shifted copy: %+v", d)
	}
	rb.PerImage[7].ID = "other"
	if _, err := Compare(ra, rb, metrics.Boot{}); err == nil || !strings.Contains(err.Error(), "image 7") {
		t.Errorf("different images: error %v", err)
	}
}

// folders is a dataset whose truth lies in PNG files, as VOC's does.
type folders struct {
	memory
	dir string
}

func (f *folders) Load(id string, _ data.Want) (*data.Sample, error) {
	m, err := data.ReadLabelMap(filepath.Join(f.dir, id+".png"))
	return &data.Sample{ID: id, Truth: m}, err
}

// BenchmarkFolder scores as many masks as VOC val has, of VOC's size.
func BenchmarkFolder(b *testing.B) {
	const n, w, h = 1449, 500, 375
	truthDir, predDir := b.TempDir(), b.TempDir()
	ds := &folders{memory: memory{classes: 21}, dir: truthDir}
	truth, pred := map[string]*data.LabelMap{}, map[string]*data.LabelMap{}
	for i := range n {
		id := fmt.Sprintf("2007_%06d", i)
		ds.ids = append(ds.ids, id)
		truth[id], pred[id] = blobs(i, w, h, 0, 3), blobs(i, w, h, 3, 0)
		if len(truth) == 64 || i == n-1 {
			writeAll(b, truthDir, truth)
			writeAll(b, predDir, pred)
			clear(truth)
			clear(pred)
		}
	}
	b.ResetTimer()
	for range b.N {
		if _, err := Folder(context.Background(), ds, "val", predDir, Options{}, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "images/s")
}

// blobs draws wavy ellipses with ragged borders, a void rim of some pixels
// around them, all shifted.
func blobs(seed, w, h, shift, void int) *data.LabelMap {
	m := data.NewLabelMap(w, h)
	for o := range 1 + seed%4 {
		k := float64(seed*7 + o*13)
		cx, cy := float64(w)*(0.2+0.6*frac(k*0.618)), float64(h)*(0.2+0.6*frac(k*0.414))
		r := float64(h) * (0.1 + 0.25*frac(k*0.732))
		class := uint8(1 + (seed+o*5)%20)
		for y := range h {
			for x := range w {
				dx, dy := float64(x-shift)-cx, float64(y-shift)-cy
				d := math.Hypot(dx, dy*1.3)
				if d > r+40 {
					continue
				}
				a := math.Atan2(dy, dx)
				edge := r * (1 + 0.12*math.Sin(5*a+k) + 0.05*math.Sin(23*a))
				switch {
				case d < edge:
					m.Set(x, y, class)
				case d < edge+float64(void):
					m.Set(x, y, data.Ignore)
				}
			}
		}
	}
	return m
}

func frac(x float64) float64 { return x - math.Floor(x) }

// shapedPredictor predicts background and notes the sizes it sees.
type shapedPredictor struct{ sizes []image.Point }

func (p *shapedPredictor) Predict(_ context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	p.sizes = append(p.sizes, img.Rect.Size())
	return data.NewLabelMap(img.Rect.Dx(), img.Rect.Dy()), nil
}

func (p *shapedPredictor) Shape(size image.Point) image.Point { return image.Pt(size.X/8, size.Y/8) }

func TestPredictGroupsShapes(t *testing.T) {
	cfg := scenes.Config{Train: 1, Val: 12, MinSize: 32, MaxSize: 60, Classes: 2, Seed: 3}
	root := t.TempDir()
	if err := scenes.Write(context.Background(), root, cfg, nil); err != nil {
		t.Fatal(err)
	}
	ds, err := scenes.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	p := &shapedPredictor{}
	if _, err := Predict(context.Background(), ds, "val", p, t.TempDir(), Options{Workers: 1}, nil); err != nil {
		t.Fatal(err)
	}
	seen := map[image.Point]bool{}
	for i, size := range p.sizes {
		shape := p.Shape(size)
		if seen[shape] && p.Shape(p.sizes[i-1]) != shape {
			t.Errorf("image %d is of shape %v, which was left before", i, shape)
		}
		seen[shape] = true
	}
	if len(p.sizes) != 12 || len(seen) < 2 {
		t.Errorf("%d images of %d shapes: the test needs 12 of several", len(p.sizes), len(seen))
	}
}
