// Command deeplab times training steps of DeepLab ResNet-101 (forward,
// backward, SGD) on the backends of wsss and in PyTorch, and prints seconds
// per image, peak memory and the ratios to the first PyTorch engine. Every engine runs in a
// process of its own, one at a time, in turns, so that a machine that slows
// down for a while does so for all.
//
//	go run ./bench/deeplab [-arch deeplab-v2] [-msc] [-size 321] [-batch 2] [-steps 2] [-rounds 2] [-engines torch,onnx,go]
//	    [-width 1] [-precision bf16] [-recompute 4]
//
// Engines are backends (go, onnx, xla:cuda, …) and PyTorch: torch (CPU, float32),
// torch-cuda (bf16 autocast, channels last), torch-cuda-compile (also compiled).
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"wsss/bench/internal/turns"
)

type options struct {
	arch                       string
	msc                        bool
	size, batch, steps, rounds int
	width                      float64
	precision                  string // of wsss
	recompute                  int    // of wsss
}

// args are the options as another process takes them.
func (o options) args() []string {
	return []string{"-arch", o.arch, fmt.Sprintf("-msc=%v", o.msc), "-size", strconv.Itoa(o.size), "-batch", strconv.Itoa(o.batch), "-steps", strconv.Itoa(o.steps),
		"-width", fmt.Sprint(o.width), "-precision", o.precision, "-recompute", strconv.Itoa(o.recompute)}
}

func main() {
	var o options
	flag.StringVar(&o.arch, "arch", "deeplab-v2", "deeplab-v2 or deeplab-v3plus")
	flag.BoolVar(&o.msc, "msc", false, "train on three scales and their maximum (v2)")
	flag.IntVar(&o.size, "size", 321, "image side, pixels")
	flag.IntVar(&o.batch, "batch", 2, "images per step")
	flag.IntVar(&o.steps, "steps", 2, "timed steps per round, after one that warms up")
	flag.IntVar(&o.rounds, "rounds", 2, "turns of every engine")
	flag.Float64Var(&o.width, "width", 1, "channel multiplier of the networks")
	flag.StringVar(&o.precision, "precision", "", "train.precision of wsss; PyTorch on a GPU always has bf16 autocast")
	flag.IntVar(&o.recompute, "recompute", 0, "train.recompute of wsss")
	engines := flag.String("engines", "torch,onnx,go", "engines to run, in turn")
	worker := flag.String("worker", "", "internal: time this backend in this process")
	profile := flag.String("cpuprofile", "", "internal: where the worker writes a CPU profile of its timed steps")
	flag.Parse()
	if *worker != "" {
		exitOn(work(*worker, *profile, o))
		return
	}
	exitOn(compare(o, strings.Split(*engines, ",")))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/deeplab:", err)
		os.Exit(1)
	}
}

// compare runs the engines in turns and prints the table.
func compare(o options, engines []string) error {
	engines = turns.Present(engines)
	results := map[string]*turns.Result{}
	for round := range o.rounds {
		for _, e := range engines {
			fmt.Fprintf(os.Stderr, "round %d/%d: %s\n", round+1, o.rounds, e)
			if results[e] == nil {
				results[e] = &turns.Result{}
			}
			if err := results[e].Run(e, "bench/deeplab/step.py", o.args()); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%s ResNet-101 training step (MSC %v), %d×%d, batch %d, %d CPUs, %s, %s\n\n",
		o.arch, o.msc, o.size, o.size, o.batch, runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format(time.DateOnly))
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
		fmt.Printf("| %s | %.2f | %.2f | %.2f | %.1f | %s | %s | %s |\n",
			e, turns.Median(r.Wall)/images, slices.Min(r.Wall)/images, turns.Median(r.CPU)/images, r.Peak, speed, byCPU, memory)
	}
	return nil
}
