// Package segmenters trains the segmenters of configs/ablations side by side, on
// pseudo-labels from boxes and on true masks of the same generated scenes, and
// prints their mIoU, CPU time and peak memory: DeepLab-v3+, a small Mask2Former,
// and two heads on the cached features of a small vision transformer. The latter
// are trained on other scenes first.
//
//	go run ./cmd/bench segmenters [-seeds 1..3] [-wsss bin/wsss] [-only deeplab,vit-linear] [-set key=value] [-set-before key=value]
//
// Trainings are processes of wsss, one at a time. What is done stays in -out, and
// is not done again.
package segmenters

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"wsss/checkpoints/files"
	"wsss/cmd/bench/internal/spent"
	"wsss/configs"
)

// segmenter is a row of the table.
type segmenter struct {
	name, title string
	config      string   // in configs/ablations
	set         []string // keys beside it
	start       string   // its config of the training on other scenes; "" = none
}

var segmenters = []segmenter{
	{"deeplab", "DeepLab-v3+ ResNet-18 ×0.25", "scenes_v3plus", nil, ""},
	{"mask2former", "Mask2Former Swin-T ×0.25", "scenes_mask2former", nil, "pretrain_mask2former"},
	{"vit-linear", "ViT-T ×0.67, frozen, linear head", "scenes_vit", []string{"train.network.arch=vit-linear"}, "pretrain_vit"},
	{"vit-mask", "ViT-T ×0.67, frozen, mask transformer", "scenes_vit", []string{"train.network.arch=vit-mask"}, "pretrain_vit"},
}

type bench struct {
	ctx       context.Context
	wsss, out string
	seeds     []int
	rows      []segmenter
	set       []string // of every config
	setBefore []string // of the trainings on other scenes, behind set
}

// Main is the command.
func Main() {
	b := bench{}
	seeds := flag.String("seeds", "1..3", "seeds, `a..b`")
	only := flag.String("only", "", "`names` of segmenters, with commas; else all")
	flag.StringVar(&b.wsss, "wsss", "bin/wsss", "the `binary`, of make build")
	keys := func(name, usage string, list *[]string) {
		flag.Func(name, usage, func(v string) error {
			*list = append(*list, v)
			return nil
		})
	}
	keys("set", "`key=value` of every config, may be repeated, such as train.iterations=400", &b.set)
	keys("set-before", "`key=value` of the trainings on other scenes, behind those of -set, may be repeated", &b.setBefore)
	flag.StringVar(&b.out, "out", "runs/ablations/segmenters", "`folder` of labels and trainings")
	flag.Parse()
	var stop context.CancelFunc
	b.ctx, stop = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := b.parse(*seeds, *only)
	if err == nil {
		err = b.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench segmenters:", err)
		os.Exit(1)
	}
}

// parse reads the seeds, and the names of the segmenters, all where there are none.
func (b *bench) parse(seeds, only string) error {
	low, high, ok := strings.Cut(seeds, "..")
	if !ok {
		high = low
	}
	from, err1 := strconv.Atoi(low)
	to, err2 := strconv.Atoi(high)
	if err1 != nil || err2 != nil || from > to || to-from > 99 {
		return fmt.Errorf("-seeds %s: allowed is a..b", seeds)
	}
	for i := from; i <= to; i++ {
		b.seeds = append(b.seeds, i)
	}
	if b.rows = segmenters; only == "" {
		return nil
	}
	wanted := strings.Split(only, ",")
	b.rows = slices.DeleteFunc(slices.Clone(segmenters), func(s segmenter) bool { return !slices.Contains(wanted, s.name) })
	for _, name := range wanted {
		if !slices.ContainsFunc(segmenters, func(s segmenter) bool { return s.name == name }) {
			return fmt.Errorf("-only %s: %q is unknown: allowed are %s", only, name, strings.Join(names(), ","))
		}
	}
	return nil
}

// names are those of all segmenters.
func names() (list []string) {
	for _, s := range segmenters {
		list = append(list, s.name)
	}
	return list
}

func (b *bench) run() error {
	labels := filepath.Join(b.out, "labels")
	if _, err := b.wsssDoes(filepath.Join(labels, "usage.json"), b.set, "gen", "-config", config("scenes_v3plus"), "-set", "out="+labels); err != nil {
		return err
	}
	var rows []row
	for _, s := range b.rows {
		r := row{segmenter: s}
		set := []string{"-set", "train.labels=" + filepath.Join(labels, "gen")}
		last, err := b.lastUpdate(s.config)
		if err != nil {
			return err
		}
		set = append(set, "-set", last)
		if s.start != "" {
			init, cost, err := b.pretrain(s.start)
			if err != nil {
				return err
			}
			r.before, set = &cost, append(set, "-set", "train.network.init="+init)
		}
		for _, key := range s.set {
			set = append(set, "-set", key)
		}
		for _, seed := range b.seeds {
			for i, net := range nets {
				out := filepath.Join(b.out, s.name, strconv.Itoa(seed))
				args := append([]string{"train", "-config", config(s.config), "-set", "out=" + out, "-set", "seed=" + strconv.Itoa(seed), "-net", net}, set...)
				cost, err := b.wsssDoes(filepath.Join(out, "usage-"+net+".json"), b.set, args...)
				if err != nil {
					return err
				}
				score, err := scored(filepath.Join(out, "train", net, "run.json"))
				if err != nil {
					return err
				}
				r.costs[i], r.scores[i] = append(r.costs[i], cost), append(r.scores[i], score)
			}
		}
		rows = append(rows, r)
	}
	printTable(rows)
	return nil
}

// lastUpdate has a training validate once, at its end.
func (b *bench) lastUpdate(name string) (set string, err error) {
	cfg, err := configs.Load(config(name), b.set)
	return fmt.Sprint("train.checkpoint.val_every=", cfg.Train.Iterations), err
}

// nets are the trainings of a segmenter and seed, on pseudo-labels and on true
// masks; where features are cached the second finds those of the first.
var nets = [...]string{"pseudo", "bound"}

func config(name string) string { return filepath.Join("configs/ablations", name+".toml") }

// pretrain trains on other scenes, and exports the network.
func (b *bench) pretrain(name string) (path string, cost usage, err error) {
	out := filepath.Join(b.out, name)
	cost, err = b.wsssDoes(filepath.Join(out, "usage.json"), slices.Concat(b.set, b.setBefore), "train", "-config", config(name), "-set", "out="+out)
	if err != nil {
		return "", cost, err
	}
	path = filepath.Join(out, "net.safetensors")
	if _, err := os.Stat(path); err == nil {
		return path, cost, nil
	}
	_, err = b.wsssDoes(filepath.Join(out, "export.json"), nil, "export", "-checkpoint", filepath.Join(out, "train/bound"), "-out", path)
	return path, cost, err
}

// usage is what a command took, all its calls together.
type usage struct {
	CPU  float64 `json:"cpu_seconds"`
	Peak float64 `json:"peak_gib"`
	Done bool    `json:"done"`
}

// wsssDoes runs wsss with keys until it is done, unless it was; what it took is kept in a file.
func (b *bench) wsssDoes(file string, set []string, args ...string) (u usage, err error) {
	if err := readJSON(file, &u); err != nil && !errors.Is(err, os.ErrNotExist) {
		return u, err
	}
	if u.Done {
		return u, nil
	}
	for _, key := range set {
		args = append(args, "-set", key)
	}
	fmt.Fprintln(os.Stderr, "wsss", strings.Join(args, " "))
	cmd := newCommand(b.ctx, b.wsss, args...)
	ran := cmd.Run()
	if cmd.ProcessState == nil {
		return u, ran
	}
	cpu, peak := spent.By(cmd.ProcessState)
	u.CPU, u.Peak = u.CPU+cpu.Seconds(), max(u.Peak, float64(peak)/(1<<30))
	u.Done = ran == nil
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return u, err
	}
	return u, errors.Join(ran, files.WriteJSON(file, u))
}

// patience is how long a training that is told to stop may save its state.
const patience = time.Minute
