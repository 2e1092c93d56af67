// Command clip times fine-tuning steps of CLIP's image encoder (forward,
// backward, AdamW) on the backends of wsss and in PyTorch: seconds per image,
// peak memory and the ratios to PyTorch. Weights are random, the size is
// ViT-B/16's unless flags say otherwise. Every engine runs in a process of its
// own, one at a time, in turns.
//
//	go run ./bench/clip [-size 224] [-width 768] [-blocks 12] [-batch 8] [-steps 2] [-rounds 2] [-engines torch,onnx,go] [-dir DIR]
//
// The encoder is exported once, by /usr/bin/python3 with PyTorch, into -dir.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"wsss/bench/internal/turns"
)

const script = "bench/clip/step.py"

type options struct {
	size, width, blocks, batch, steps, rounds int
	dir                                       string
}

// args are the options as another process takes them.
func (o options) args() []string {
	list := []string{"-dir", o.dir}
	for name, n := range map[string]int{"size": o.size, "width": o.width, "blocks": o.blocks, "batch": o.batch, "steps": o.steps} {
		list = append(list, "-"+name, strconv.Itoa(n))
	}
	return list
}

// encoder is the exported file.
func (o options) encoder() string {
	return filepath.Join(o.dir, fmt.Sprintf("vit_%d_%d_%d.onnx", o.size, o.width, o.blocks))
}

func main() {
	var o options
	flag.IntVar(&o.size, "size", 224, "image side, pixels, a multiple of 16")
	flag.IntVar(&o.width, "width", 768, "width of the encoder, a multiple of 64")
	flag.IntVar(&o.blocks, "blocks", 12, "its blocks")
	flag.IntVar(&o.batch, "batch", 8, "images per step")
	flag.IntVar(&o.steps, "steps", 2, "timed steps per round, after one that warms up")
	flag.IntVar(&o.rounds, "rounds", 2, "turns of every engine")
	flag.StringVar(&o.dir, "dir", filepath.Join(os.TempDir(), "wsss-bench-clip"), "folder for the exported encoder")
	engines := flag.String("engines", "torch,onnx,go", "engines to run, in turn")
	worker := flag.String("worker", "", "internal: time this backend in this process")
	profile := flag.String("cpuprofile", "", "internal: where the worker writes a CPU profile of its timed steps")
	flag.Parse()
	var err error
	if *worker != "" {
		err = work(*worker, *profile, o)
	} else {
		err = compare(o, strings.Split(*engines, ","))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/clip:", err)
		os.Exit(1)
	}
}

// compare runs the engines in turns and prints the table.
func compare(o options, engines []string) error {
	if _, err := os.Stat(o.encoder()); err != nil {
		if err := os.MkdirAll(o.dir, 0o755); err != nil {
			return err
		}
		export := exec.Command(turns.Python(), append([]string{script, "export"}, o.args()...)...)
		export.Stdout, export.Stderr = os.Stderr, os.Stderr
		if err := export.Run(); err != nil {
			return fmt.Errorf("export the encoder: %w", err)
		}
	}
	engines = turns.Present(engines)
	results := map[string]*turns.Result{}
	for round := range o.rounds {
		for _, e := range engines {
			fmt.Fprintf(os.Stderr, "round %d/%d: %s\n", round+1, o.rounds, e)
			if results[e] == nil {
				results[e] = &turns.Result{}
			}
			if err := results[e].Run(e, script, o.args()); err != nil {
				return err
			}
		}
	}
	fmt.Printf("CLIP fine-tuning step, ViT of width %d and %d blocks, patches of 16, %d×%d, batch %d, %d CPUs, %s, %s\n\n",
		o.width, o.blocks, o.size, o.size, o.batch, runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	fmt.Println("| engine | s/image (median) | fastest | CPU s/image | peak GiB | speed ÷ PyTorch | by CPU time | memory ÷ PyTorch |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	var torch *turns.Result
	if i := slices.IndexFunc(engines, turns.IsTorch); i >= 0 {
		torch = results[engines[i]]
	}
	images := float64(o.batch)
	for _, e := range engines {
		r := results[e]
		speed, byCPU, memory := "", "", ""
		if torch != nil {
			speed = fmt.Sprintf("%.2f", turns.Median(torch.Wall)/turns.Median(r.Wall))
			byCPU = fmt.Sprintf("%.2f", turns.Median(torch.CPU)/turns.Median(r.CPU))
			memory = fmt.Sprintf("%.2f", r.Peak/torch.Peak)
		}
		fmt.Printf("| %s | %.3f | %.3f | %.3f | %.1f | %s | %s | %s |\n",
			e, turns.Median(r.Wall)/images, slices.Min(r.Wall)/images, turns.Median(r.CPU)/images, r.Peak, speed, byCPU, memory)
	}
	return nil
}
