// Package mask2former times training steps of a Mask2Former on a Swin on the
// backends of wsss, by train's own training with its loader, and those of the
// transformers package in PyTorch (forward, matching, loss, backward, AdamW), on
// the same generated pictures; or, with -forward, the labels of one picture. It
// prints seconds per image, peak memory and the ratios to PyTorch. Every engine
// runs in a process of its own, one at a time, in turns.
//
//	go run ./cmd/bench mask2former [-config configs/scenes_mask2former.toml] [-size 0] [-batch 8] [-steps 4] [-rounds 3] [-engines torch,onnx,go]
//	go run ./cmd/bench mask2former -config configs/protocols/mask2former_voc_swin_l.toml -forward -size 512 -classes 21 -steps 1
//	go run ./cmd/bench mask2former -config configs/protocols/mask2former_voc_swin_l.toml -size 320 -batch 1 -classes 21 -steps 1 -rounds 1 -engines go
//
// The network is that of the config, with random weights. PyTorch's is $PYTHON
// or $WSSS_TORCH, which `make torch` sets up.
package mask2former

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"wsss/cmd/bench/internal/interleave"
	"wsss/cmd/bench/internal/steps"
	"wsss/configs"
	"wsss/data"
	"wsss/models"
	"wsss/models/mask2former"
	"wsss/models/swin"
)

type options struct {
	interleave.Steps
	config    string
	forward   bool
	size      int
	classes   int
	recompute int
	threads   int
	dir       string // of the pictures

	train    configs.Train
	pictures data.Dataset
	training *steps.Training // of a worker
}

// Main is the command.
func Main() {
	o := options{Steps: interleave.Steps{Name: "bench mask2former", Script: "cmd/bench/mask2former/step.py", Digits: 3}}
	flag.StringVar(&o.config, "config", "configs/scenes_mask2former.toml", "`file` whose [train] is the network, on a Swin")
	flag.BoolVar(&o.forward, "forward", false, "time the labels of one picture, not steps of training")
	flag.IntVar(&o.size, "size", 0, "image side, pixels; 0 = the config's crop")
	flag.IntVar(&o.classes, "classes", 0, "classes, background included; 0 = those of the generated pictures, 8")
	flag.IntVar(&o.recompute, "recompute", 0, "train.compute.recompute of wsss")
	flag.IntVar(&o.threads, "threads", 0, "threads of every engine; 0 = one per CPU. With 1 the CPU time is that of the work, whatever else runs on the machine")
	flag.StringVar(&o.dir, "dir", filepath.Join(os.TempDir(), "wsss-bench-mask2former"), "folder for the pictures")
	for _, name := range []string{"pictures", "sizes"} {
		flag.String(name, "", "internal: what PyTorch's script takes")
	}
	o.AddFlags(8)
	flag.Parse()
	sizes, err := o.open()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench mask2former:", err)
		os.Exit(1)
	}
	what := "training step"
	if o.forward {
		what, o.Batch = "labels of an image", 1
	}
	if o.threads > 0 {
		what += fmt.Sprintf(" on %d threads", o.threads)
	}
	o.Main(interleave.Job{
		Title: fmt.Sprintf("Mask2Former %s (%s ×%g), %s, %d×%d, %d classes", o.config, o.train.Backbone, o.train.Width, what, o.size, o.size, o.classes),
		Args:  append(o.args(), "-pictures", o.dir, "-sizes", sizes),
		Step:  o.step,
		Done:  o.done,
	})
}

// open reads the config and makes the pictures. sizes are those of its network, in JSON, as PyTorch's
// script takes them.
func (o *options) open() (sizes string, err error) {
	cfg, err := configs.Load(o.config, nil)
	if err != nil {
		return "", err
	}
	o.train = cfg.Train
	if o.train.Arch != mask2former.Arch {
		return "", fmt.Errorf("%s: train.network.arch = %q: allowed is %s", o.config, o.train.Arch, mask2former.Arch)
	}
	if o.size == 0 {
		o.size = o.train.Crop
	}
	o.dir = filepath.Join(o.dir, strconv.Itoa(o.size))
	if o.pictures, err = steps.Scenes(o.dir, o.size); err != nil {
		return "", err
	}
	if own := o.pictures.Classes().Len(); o.classes == 0 {
		o.classes = own
	} else if o.classes < own {
		return "", fmt.Errorf("-classes %d: allowed are %d, those of the pictures, or more; 0 for these", o.classes, own)
	}
	if o.recompute < 0 || o.threads < 0 {
		return "", fmt.Errorf("-recompute %d -threads %d: allowed are numbers >= 0", o.recompute, o.threads)
	}
	net := o.train.Mask2Former.Or(mask2former.Published())
	body, err := models.BackboneByName("train.network.backbone", o.train.Backbone, models.BackboneOptions{Width: o.train.Width, OutputStride: 32, DropPath: net.DropPath})
	if err != nil {
		return "", err
	}
	s, ok := body.(swin.Config)
	if !ok {
		return "", fmt.Errorf("%s: train.network.backbone = %q: allowed is a Swin", o.config, o.train.Backbone)
	}
	raw, err := json.Marshal(struct {
		Embed         int
		Depths, Heads [models.Stages]int
		Window        int
		Net           mask2former.Options
	}{s.Embed, s.Depths, s.Heads, s.Window, net})
	return string(raw), err
}

// args are the options as another process takes them.
func (o *options) args() []string {
	return []string{"-config", o.config, fmt.Sprintf("-forward=%v", o.forward), "-size", strconv.Itoa(o.size),
		"-classes", strconv.Itoa(o.classes), "-recompute", strconv.Itoa(o.recompute), "-threads", strconv.Itoa(o.threads), "-dir", filepath.Dir(o.dir)}
}
