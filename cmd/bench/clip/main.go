// Package clip times fine-tuning steps of CLIP's image encoder (forward,
// backward, AdamW) on the backends of wsss and in PyTorch: seconds per image,
// peak memory and the ratios to PyTorch. Weights are random, the size is
// ViT-B/16's unless flags say otherwise. Every engine runs in a process of its
// own, one at a time, in turns.
//
//	go run ./cmd/bench clip [-size 224] [-width 768] [-blocks 12] [-batch 8] [-steps 2] [-rounds 2] [-engines torch,onnx,go] [-dir DIR]
//
// The encoder is exported once, by /usr/bin/python3 with PyTorch, into -dir.
package clip

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"wsss/cmd/bench/internal/interleave"
)

const script = "cmd/bench/clip/step.py"

type options struct {
	interleave.Steps
	size, width, blocks int
	dir                 string
}

// args are the options of the encoder as another process takes them.
func (o *options) args() []string {
	return []string{"-dir", o.dir, "-size", strconv.Itoa(o.size), "-width", strconv.Itoa(o.width), "-blocks", strconv.Itoa(o.blocks)}
}

// encoder is the exported file.
func (o *options) encoder() string {
	return filepath.Join(o.dir, fmt.Sprintf("vit_%d_%d_%d.onnx", o.size, o.width, o.blocks))
}

// Main is the command.
func Main() {
	o := options{Steps: interleave.Steps{Name: "bench clip", Script: script, Digits: 3}}
	flag.IntVar(&o.size, "size", 224, "image side, pixels, a multiple of 16")
	flag.IntVar(&o.width, "width", 768, "width of the encoder, a multiple of 64")
	flag.IntVar(&o.blocks, "blocks", 12, "its blocks")
	flag.StringVar(&o.dir, "dir", filepath.Join(os.TempDir(), "wsss-bench-clip"), "folder for the exported encoder")
	o.AddFlags(8)
	flag.Parse()
	o.Main(interleave.Job{
		Title:   fmt.Sprintf("CLIP fine-tuning step, ViT of width %d and %d blocks, patches of 16, %d×%d", o.width, o.blocks, o.size, o.size),
		Args:    o.args(),
		Prepare: o.export,
		Step:    o.step,
	})
}

// export makes the encoder's file if it is not there.
func (o *options) export() error {
	if _, err := os.Stat(o.encoder()); err == nil {
		return nil
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	export := exec.Command(interleave.Python(), append([]string{script, "export"}, o.args()...)...)
	export.Stdout, export.Stderr = os.Stderr, os.Stderr
	if err := export.Run(); err != nil {
		return fmt.Errorf("export the encoder: %w", err)
	}
	return nil
}
