// Package eval measures how fast stored predictions are scored: it draws as
// many masks as VOC val has, of a VOC photo's size, and prints images per
// second.
//
//	GOMAXPROCS=2 go run ./cmd/bench eval
//
// It also measures what evaluating a network costs beside the network, see
// networks.
package eval

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/jpeg"
	"log"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"wsss/data"
	"wsss/data/metrics"
	"wsss/eval"
)

// Main is the command.
func Main() {
	log.SetFlags(0)
	n := flag.Int("n", 1449, "images")
	w := flag.Int("w", 500, "width, pixels")
	h := flag.Int("h", 375, "height, pixels")
	rounds := flag.Int("rounds", 3, "repetitions; the fastest counts")
	engine := flag.String("backend", "", "`engine` of the network; empty: the best")
	only := flag.Bool("network", false, "measure the evaluation of networks only")
	flag.Parse()
	if *only {
		*n = min(*n, 200)
	}
	if *n < 1 || *w < 16 || *h < 16 || *rounds < 1 {
		log.Fatal("bench eval: want n ≥ 1, w and h ≥ 16, rounds ≥ 1")
	}
	if err := run(*n, *w, *h, *rounds, *only, *engine); err != nil {
		log.Fatal("bench eval: ", err)
	}
}

func run(n, w, h, rounds int, onlyNetwork bool, engine string) error {
	dir, err := os.MkdirTemp("", "wsss-bench-eval-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ds := &masks{dir: filepath.Join(dir, "truth")}
	preds := filepath.Join(dir, "pred")
	for i := range n {
		ds.ids = append(ds.ids, fmt.Sprintf("2007_%06d", i))
	}
	if err := drawAll(ds.ids, w, h, ds.dir, preds); err != nil {
		return err
	}
	for _, b := range []struct {
		name string
		opts eval.Options
	}{
		{"mIoU", eval.Options{Boot: metrics.Boot{Resamples: -1}}},
		{"mIoU with bootstrap interval", eval.Options{}},
		{"mIoU with interval and boundary IoU", eval.Options{Boundary: true}},
	} {
		if onlyNetwork {
			break
		}
		best := 0.0
		var r *eval.Result
		for range rounds {
			start := time.Now()
			if r, err = eval.Folder(context.Background(), ds, "val", preds, b.opts, nil); err != nil {
				return err
			}
			best = max(best, float64(n)/time.Since(start).Seconds())
		}
		fmt.Printf("%-38s %7.0f images/s  (%d masks of %d×%d, %d CPUs, mIoU %s)\n", b.name, best, n, w, h, runtime.GOMAXPROCS(0), r.MIoU.Percent())
	}
	if err := ds.photograph(w, h); err != nil {
		return err
	}
	return networks(ds, filepath.Join(dir, "network"), engine)
}

// masks is a dataset of PNG files.
type masks struct {
	dir   string
	ids   []string
	photo []byte // JPEG, the same for all; nil = masks only
}

// photograph makes a photo as hard to decode as a real one: edges and noise.
func (m *masks) photograph(w, h int) error {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = uint8(100 + (i/4%w+i/4/w)%97 + (i*7919>>3)%23)
	}
	var buf bytes.Buffer
	err := jpeg.Encode(&buf, img, &jpeg.Options{Quality: 90})
	m.photo = buf.Bytes()
	return err
}

func (m *masks) Name() string                 { return "bench" }
func (m *masks) Splits() []string             { return []string{"val"} }
func (m *masks) IDs(string) ([]string, error) { return m.ids, nil }
func (m *masks) ImagePath(id string) string   { return id }
func (m *masks) Classes() data.Classes {
	names := make([]string, 21)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	return data.Classes{Names: names}
}

func (m *masks) Load(id string, want data.Want) (*data.Sample, error) {
	s := &data.Sample{ID: id}
	var err error
	if s.Truth, err = data.ReadLabelMap(filepath.Join(m.dir, id+".png")); err == nil && want&data.WantImage != 0 {
		var img image.Image
		if img, err = jpeg.Decode(bytes.NewReader(m.photo)); err == nil {
			s.Image = data.ToNRGBA(img)
		}
	}
	return s, err
}

// drawAll writes a truth and a slightly shifted prediction for every id.
func drawAll(ids []string, w, h int, truth, pred string) error {
	for _, d := range []string{truth, pred} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	return data.Parallel(context.Background(), len(ids), nil, func(i int) error {
		if err := save(filepath.Join(truth, ids[i]+".png"), draw(i, w, h, 0, 3)); err != nil {
			return err
		}
		return save(filepath.Join(pred, ids[i]+".png"), draw(i, w, h, 3, 0))
	})
}

// save leaves out the sync to disk that real runs make: these files are thrown
// away.
func save(path string, m *data.LabelMap) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := data.EncodeLabelMap(f, m); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// draw makes one to four wavy ellipses with ragged borders and a rim of void,
// all shifted: about as many runs of equal pixels as real masks have.
func draw(seed, w, h, shift, void int) *data.LabelMap {
	m := data.NewLabelMap(w, h)
	frac := func(x float64) float64 { return x - math.Floor(x) }
	for o := range 1 + seed%4 {
		k := float64(seed*7 + o*13)
		cx, cy := float64(w)*(0.2+0.6*frac(k*0.618)), float64(h)*(0.2+0.6*frac(k*0.414))
		r := float64(h) * (0.1 + 0.25*frac(k*0.732))
		class := uint8(1 + (seed+o*5)%20)
		for y := range h {
			for x := range w {
				dx, dy := float64(x-shift)-cx, float64(y-shift)-cy
				d := math.Hypot(dx, dy*1.3)
				if d > 1.2*r+float64(void) {
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
