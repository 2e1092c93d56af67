// Package gen measures a method of stage one on real photos: it makes the
// pseudo-labels of a split and prints their IoU per class as a Markdown table.
//
//	go run ./cmd/bench gen -root ../shared/data/voc_mini -weak boxes,scribbles
//	go run ./cmd/bench gen -kind coco -root ../shared/data/tiny_coco -split train2017
//	go run ./cmd/bench gen -kind scenes -root /tmp/scenes -split train -set data.options.train=1000
//
// It also prints the time of each stage and the resident memory at ten points.
//
// The kind "pairs" (the default) is a folder with JPEGImages and
// SegmentationClassAug; its weak labels are derived from the masks. With any
// other dataset kind the dataset's own weak labels are used, unless -derive.
package gen

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"

	"wsss/configs"
	"wsss/data"
	_ "wsss/data/all"
	"wsss/data/metrics"
	"wsss/data/weaken"
	"wsss/eval"
	"wsss/gen"
	_ "wsss/gen/all"
	"wsss/models/backend"
)

// Main is the command.
func Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench gen:", err)
		os.Exit(1)
	}
}

// overrides is a repeatable flag.
type overrides []string

func (o *overrides) String() string     { return strings.Join(*o, " ") }
func (o *overrides) Set(s string) error { *o = append(*o, s); return nil }

// bench is one measurement.
type bench struct {
	ds       data.Dataset
	split    string
	cfg      configs.Config
	out      string
	backend  compute.Backend // nil where the method needs none
	pictures bool
}

func run(ctx context.Context) error {
	kind := flag.String("kind", "pairs", "dataset kind: pairs or a registered one")
	root := flag.String("root", "", "folder of the dataset")
	split := flag.String("split", "all", "split")
	weak := flag.String("weak", "boxes", "forms of weak label, separated by commas")
	derive := flag.Bool("derive", false, "derive the weak labels from the masks")
	method := flag.String("method", "grabcut", "method")
	rule := flag.String("rule", "score", "overlap rule")
	engine := flag.String("backend", "", "engine of methods that need one; empty = that of -set backend=…, else the best one found")
	seed := flag.Int64("seed", 1, "seed")
	out := flag.String("out", "", "folder to keep the labels in; empty = a temporary one")
	pictures := flag.Bool("pictures", false, "also write <id>.jpg: photo, truth and pseudo-label side by side")
	var set overrides
	flag.Var(&set, "set", "override of a config key, such as gen.options.gamma=50; may be repeated")
	flag.Parse()

	cfg := configs.Default()
	cfg.Seed, cfg.Gen.Method, cfg.Gen.Fuse.Rule = *seed, *method, *rule
	cfg, err := cfg.With(set...)
	if err != nil {
		return err
	}
	ds, err := open(*kind, *root, cfg)
	if err != nil {
		return err
	}
	if *derive || *kind == "pairs" {
		ds = derived{ds, *seed}
	}
	if *out == "" {
		if *out, err = os.MkdirTemp("", "wsss-bench-"); err != nil {
			return err
		}
		defer os.RemoveAll(*out)
	}
	for _, w := range strings.Split(*weak, ",") {
		cfg.Gen.Weak = w
		b := bench{ds: ds, split: *split, cfg: cfg, out: filepath.Join(*out, w), pictures: *pictures}
		if needed, err := gen.NeedsBackend(cfg.Gen); err != nil {
			return err
		} else if needed {
			if b.backend, err = backend.Open(cmp.Or(*engine, cfg.Backend)); err != nil {
				return err
			}
		}
		if err := b.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", w, err)
		}
	}
	return nil
}

func open(kind, root string, cfg configs.Config) (data.Dataset, error) {
	if kind == "pairs" {
		return Pairs(root)
	}
	return data.Open(kind, data.Options{Root: root, Seed: cfg.Seed, Extra: cfg.Data.Options})
}

// measure makes the labels of one form of weak label and prints their score.
func (b bench) measure(ctx context.Context) error {
	weak := data.WeakKind(b.cfg.Gen.Weak)
	m, err := gen.New(gen.Env{Backend: b.backend, Classes: b.ds.Classes(), Weak: weak, Seed: b.cfg.Seed, Gen: b.cfg.Gen})
	if err != nil {
		return err
	}
	var memory meter
	start := time.Now()
	sum, err := gen.Run(ctx, gen.RunOptions{
		Dataset: b.ds, Split: b.split, Method: m, Name: b.cfg.Gen.Method, Weak: weak, Fuse: b.cfg.Gen.Fuse,
		OutDir: b.out, Checks: b.cfg.Gen.Checks, Progress: memory.progress, ConfigHash: configs.Config{Seed: b.cfg.Seed, Gen: b.cfg.Gen}.GenHash(),
	})
	if err != nil {
		return err
	}
	took := time.Since(start)
	res, err := eval.Folder(ctx, b.ds, b.split, b.out, eval.Options{Name: string(weak), AllowNoTruth: true}, nil)
	if err != nil {
		return err
	}
	interval := ""
	if res.CI != nil {
		interval = fmt.Sprintf(" (%.1f to %.1f)", 100*res.CI.Lo, 100*res.CI.Hi)
	}
	fmt.Printf("\n%s, %s %s: mIoU %s%s over %d images, %d masks, %.1f images/s\n\n",
		b.cfg.Gen.Method, b.ds.Name(), weak, res.MIoU.Percent(), interval, res.Images, sum.Masks, float64(sum.Generated)/took.Seconds())
	table(res)
	fmt.Printf("\nTime of all workers, %v: %v.\n", sum.Times.Total().Round(10*time.Millisecond), sum.Times)
	fmt.Printf("Resident memory after so many images: %v.\n", &memory)
	if err := b.quality(ctx, res); err != nil {
		return err
	}
	if b.pictures {
		return b.draw()
	}
	return nil
}

// quality prints how well the signs of quality, which need no truth, rank the
// images by their true IoU.
func (b bench) quality(ctx context.Context, res *eval.Result) error {
	q, err := gen.Quality(ctx, b.out, gen.QualityOptions{IDs: res.IDs()})
	if err != nil {
		return err
	}
	truth := map[string]float64{}
	for _, im := range res.PerImage {
		truth[im.ID] = float64(im.MIoU)
	}
	fmt.Println("\n| sign | mean | rank correlation with IoU |\n|---|---|---|")
	for _, sign := range slices.Sorted(maps.Keys(q.Mean)) {
		var scores, ious []float64
		for _, im := range q.Images {
			if v, ok := im.Signs[sign]; ok {
				scores, ious = append(scores, v), append(ious, truth[im.ID])
			}
		}
		a, err := metrics.Agree(scores, ious)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %.3f | %.2f |\n", sign, q.Mean[sign], a.Spearman)
	}
	return nil
}

// table prints the IoU of every class that occurs.
func table(res *eval.Result) {
	fmt.Println("| class | IoU | precision | recall |\n|---|---|---|---|")
	for i, v := range res.IoU {
		if v.Valid() {
			fmt.Printf("| %s | %s | %s | %s |\n", res.Classes[i], v.Percent(), res.Precision[i].Percent(), res.Recall[i].Percent())
		}
	}
}

// derived replaces a dataset's weak labels by such as follow from its masks.
type derived struct {
	data.Dataset
	seed int64
}

func (d derived) Load(id string, want data.Want) (*data.Sample, error) {
	if want&data.WantWeak == 0 {
		return d.Dataset.Load(id, want)
	}
	s, err := d.Dataset.Load(id, want|data.WantTruth)
	if err != nil {
		return nil, err
	}
	s.Weak, err = weaken.Derive(s.Truth, data.WeakKinds, weaken.SeedFor(d.seed, id), weaken.DefaultOptions())
	return s, err
}
