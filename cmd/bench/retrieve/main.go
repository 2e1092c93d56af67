// Package retrieve times the stages of gen method retrieve on photos: features of
// frozen networks, proposals, pooling, the bank, queries, votes and writing. Of each it
// prints seconds and CPU seconds a photo and photos a second, and from them what a
// whole data set would cost on this machine. Networks that are not at hand are made with
// random weights of the published sizes, which cost as much.
//
//	go run ./cmd/bench retrieve -root ../shared/data/voc_mini
//	go run ./cmd/bench retrieve -features dinov2-small -proposals grabcut -backend xla:cuda -photos 200
package retrieve

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"

	benchgen "wsss/cmd/bench/gen"
	"wsss/cmd/bench/internal/spent"
	"wsss/data"
	_ "wsss/data/scenes"
	_ "wsss/gen/all"
	"wsss/gen/segments"
	"wsss/models/backend"
)

// bench is what the stages work with.
type bench struct {
	backend compute.Backend
	device  bool // networks are computed elsewhere than on the CPUs
	ds      data.Dataset
	split   string
	ids     []string
	dir     string // scratch
	real    string // folder of published networks

	photos int // of the data set whose cost is told
	masks  int // of a photo, in the stages behind the networks
	points int // a side, that SAM is asked for

	rows []row
}

// row is a stage that was measured.
type row struct {
	stage     string
	wall, cpu time.Duration // of a photo
	part      bool          // of another row, by the clock, and no cost of its own
}

// Main is the command.
func Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := bench{}
	root := flag.String("root", "", "folder with JPEGImages and SegmentationClassAug; empty = generated scenes of 480 pixels")
	n := flag.Int("n", 21, "photos to measure with, after one that warms up")
	features := flag.String("features", "efficientnet-lite2,dinov2-small,dinov2-base", "networks, of `wsss models list` or files; dinov2-small and -base have random weights")
	proposals := flag.String("proposals", "grabcut,isnet,sam2.1-tiny", "what proposes masks: grabcut, isnet, sam2.1-tiny (random weights; $PYTHON with transformers makes them)")
	engine := flag.String("backend", "", "engine; empty = the best one found")
	flag.IntVar(&b.photos, "photos", 10582, "photos of the data set whose cost is told")
	flag.IntVar(&b.masks, "masks", 100, "proposals of a photo in the stages behind the networks, at most 250")
	flag.IntVar(&b.points, "points", 32, "points a side that SAM is asked for; 32 are its automatic masks' own")
	flag.StringVar(&b.real, "real", cmp.Or(os.Getenv("WSSS_REAL"), ".cache/real"), "folder of published networks, as `make real` fetches them")
	flag.StringVar(&b.dir, "dir", filepath.Join(os.TempDir(), "wsss-bench-retrieve"), "folder of the networks that are made, 0.6 GB")
	flag.Parse()
	if err := b.run(ctx, *root, *n, *engine, strings.Split(*features, ","), strings.Split(*proposals, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "bench retrieve:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context, root string, n int, engine string, networks, proposals []string) (err error) {
	if n < 1 || b.photos < 1 || b.masks < 1 || b.masks > 250 || b.points < 1 {
		return fmt.Errorf("-n %d -photos %d -masks %d -points %d: allowed are 1 or more, of masks up to 250", n, b.photos, b.masks, b.points)
	}
	if b.backend, err = backend.Open(engine); err != nil {
		return err
	}
	defer b.backend.Finalize()
	b.device = backend.OnGPU(b.backend)
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(b.dir, "run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if err := b.open(root, n, scratch); err != nil {
		return err
	}
	photos, err := b.decode(ctx)
	if err != nil {
		return err
	}
	var nets []*network
	for _, name := range networks {
		net, err := b.network(name)
		if err != nil {
			fmt.Fprintf(os.Stderr, "left out: features of %s: %v\n", name, err)
			continue
		}
		if err := b.encode(ctx, net, photos, scratch); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		nets = append(nets, net)
	}
	if len(nets) == 0 {
		return fmt.Errorf("no network of features is at hand")
	}
	for _, name := range proposals {
		if err := b.propose(ctx, name, photos); err != nil {
			fmt.Fprintf(os.Stderr, "left out: proposals of %s: %v\n", name, err)
		}
	}
	for _, net := range nets {
		if err := b.retrieve(ctx, net, photos, scratch); err != nil {
			return fmt.Errorf("%s: %w", net.name, err)
		}
	}
	b.print(nets)
	return nil
}

func (b *bench) open(root string, n int, scratch string) (err error) {
	b.split = "all"
	if root == "" {
		b.split = "train"
		b.ds, err = data.Open("scenes", data.Options{Root: filepath.Join(scratch, "scenes"), Seed: 1, Extra: map[string]any{"train": n + 1, "val": 0, "min_size": 480, "max_size": 480}})
	} else {
		b.ds, err = benchgen.Pairs(root)
	}
	if err == nil {
		b.ids, err = b.ds.IDs(b.split)
	}
	if err == nil && len(b.ids) == 0 {
		err = fmt.Errorf("%s has no photos", root)
	}
	b.ids = b.ids[:min(len(b.ids), n)]
	b.ds = some{b.ds, b.ids}
	return err
}

// some are the first photos of a dataset.
type some struct {
	data.Dataset
	ids []string
}

func (s some) IDs(string) ([]string, error) { return s.ids, nil }

// timed measures what is done for each photo, after one that warms up, one after the other.
func (b *bench) timed(ctx context.Context, stage string, n int, do func(i int) error) error {
	if err := do(0); err != nil {
		return err
	}
	begin, cpu := time.Now(), spent.Self()
	for i := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := do(i); err != nil {
			return err
		}
	}
	b.add(stage, time.Since(begin)/time.Duration(n), (spent.Self()-cpu)/time.Duration(n), false)
	return nil
}

func (b *bench) add(stage string, wall, cpu time.Duration, part bool) {
	b.rows = append(b.rows, row{stage, wall, cpu, part})
	fmt.Fprintf(os.Stderr, "%s: %.3f s, %.3f CPU s a photo\n", stage, wall.Seconds(), cpu.Seconds())
}

// Names of stages that costs are made of.
const (
	stageDecode   = "decode the photo"
	stageFeatures = "features: "
	stagePropose  = "proposals: "
	stageBank     = "bank, regions of a photo: "
	stageClean    = "bank, their neighbours: "
	stageQuery    = "query: "
	stageRest     = "decode, name, fuse, write: "
)

func (b *bench) print(nets []*network) {
	cores := runtime.GOMAXPROCS(0)
	fmt.Printf("\n%d photos, %s, %d CPUs, %s, %s\n\n| stage | s a photo | CPU s a photo | photos/s | hours for %d |\n|---|---:|---:|---:|---:|\n",
		len(b.ids), b.backend.Name(), cores, runtime.Version(), time.Now().UTC().Format(time.DateOnly), b.photos)
	for _, r := range b.rows {
		if r.part {
			fmt.Printf("| – %s | %.4f | | | |\n", r.stage, r.wall.Seconds())
			continue
		}
		digits := 2
		if rate := 1 / b.cost(r); rate >= 10 {
			digits = 0
		}
		fmt.Printf("| %s | %.4f | %.4f | %.*f | %.2f |\n", r.stage, r.wall.Seconds(), r.cpu.Seconds(), digits, 1/b.cost(r), b.cost(r)*float64(b.photos)/3600)
	}
	by := fmt.Sprintf("CPU seconds on %d CPUs", cores)
	if b.device {
		by = "the clock, one photo after the other"
	}
	fmt.Printf("\nPhotos/s and hours are by %s.\n\n%d photos, all stages:\n\n| features | proposals | hours |\n|---|---|---:|\n", by, b.photos)
	for _, net := range nets {
		for _, r := range b.rows {
			if name, ok := strings.CutPrefix(r.stage, stagePropose); ok {
				stages := []string{stageFeatures + net.name, r.stage, stageBank + net.name, stageClean + net.name, stageQuery + net.name, stageRest + net.name}
				fmt.Printf("| %s | %s | %.1f |\n", net.name, name, b.hours(stages))
			}
		}
	}
}

// cost is the seconds that a stage takes of all CPUs, or of a device.
func (b *bench) cost(r row) float64 {
	if b.device {
		return r.wall.Seconds()
	}
	return r.cpu.Seconds() / float64(runtime.GOMAXPROCS(0))
}

// hours is what the stages cost for all photos.
func (b *bench) hours(stages []string) float64 {
	sum := 0.0
	for _, r := range b.rows {
		if !r.part && slices.Contains(stages, r.stage) {
			sum += b.cost(r)
		}
	}
	return sum * float64(b.photos) / 3600
}

// propose measures a source of masks.
func (b *bench) propose(ctx context.Context, name string, photos []*data.Sample) error {
	o, title, err := b.source(name)
	if err != nil {
		return err
	}
	src, err := segments.Open(b.env(), o, true)
	if err != nil {
		return err
	}
	found := 0
	err = b.timed(ctx, stagePropose+title, len(photos), func(i int) error {
		masks, err := src.Masks(ctx, photos[i])
		found += len(masks)
		return err
	})
	fmt.Fprintf(os.Stderr, "%s: %.1f masks a photo\n", name, float64(found)/float64(len(photos)+1))
	return err
}
