// Command deeplab times training steps of DeepLab ResNet-101 (forward,
// backward, SGD) on the backends of wsss and in PyTorch, and prints seconds
// per image, peak memory and the ratios to the first PyTorch engine. Every engine runs in a
// process of its own, one at a time, in turns, so that a machine that slows
// down for a while does so for all.
//
//	go run ./bench/deeplab [-arch deeplab-v2] [-msc] [-size 321] [-batch 2] [-steps 2] [-rounds 2] [-engines torch,onnx,go]
//
// Engines are backends (go, onnx, xla:cuda, …) and PyTorch: torch (CPU, float32),
// torch-cuda (bf16 autocast, channels last), torch-cuda-compile (also compiled).
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"wsss/models/backend"
)

// python is the interpreter that has PyTorch: $PYTHON, else Debian's.
func python() string { return cmp.Or(os.Getenv("PYTHON"), "/usr/bin/python3") }

// torchEnv keeps PyTorch from burning the second core in spin loops and from
// giving memory back between steps: with it, it is at its best.
var torchEnv = []string{"OMP_WAIT_POLICY=passive", "MALLOC_MMAP_THRESHOLD_=4294967296", "MALLOC_TRIM_THRESHOLD_=17179869184"}

type options struct {
	arch                       string
	msc                        bool
	size, batch, steps, rounds int
}

// args are the options as another process takes them.
func (o options) args() []string {
	return []string{"-arch", o.arch, fmt.Sprintf("-msc=%v", o.msc), "-size", strconv.Itoa(o.size), "-batch", strconv.Itoa(o.batch), "-steps", strconv.Itoa(o.steps)}
}

func isTorch(engine string) bool { return strings.HasPrefix(engine, "torch") }

// result is what one engine did in all rounds.
type result struct {
	perImage []float64 // seconds, one per timed step
	cpu      []float64 // CPU seconds of the same
	peak     float64   // GiB
}

func main() {
	var o options
	flag.StringVar(&o.arch, "arch", "deeplab-v2", "deeplab-v2 or deeplab-v3plus")
	flag.BoolVar(&o.msc, "msc", false, "train on three scales and their maximum (v2)")
	flag.IntVar(&o.size, "size", 321, "image side, pixels")
	flag.IntVar(&o.batch, "batch", 2, "images per step")
	flag.IntVar(&o.steps, "steps", 2, "timed steps per round, after one that warms up")
	flag.IntVar(&o.rounds, "rounds", 2, "turns of every engine")
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
	engines = slices.DeleteFunc(engines, func(e string) bool {
		why := missing(e)
		if why != "" {
			fmt.Printf("%s left out: %s\n", e, why)
		}
		return why != ""
	})
	results := map[string]*result{}
	for round := range o.rounds {
		for _, e := range engines {
			fmt.Fprintf(os.Stderr, "round %d/%d: %s\n", round+1, o.rounds, e)
			r := results[e]
			if r == nil {
				r = &result{}
				results[e] = r
			}
			if err := r.run(e, o); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%s ResNet-101 training step (MSC %v), %d×%d, batch %d, %d CPUs, %s, %s\n\n",
		o.arch, o.msc, o.size, o.size, o.batch, runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	fmt.Println("| engine | s/image (median) | fastest | CPU s/image | peak GiB | speed ÷ PyTorch | by CPU time | memory ÷ PyTorch |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	var torch *result
	if i := slices.IndexFunc(engines, isTorch); i >= 0 {
		torch = results[engines[i]]
	}
	for _, e := range engines {
		r := results[e]
		speed, byCPU, memory := "", "", ""
		if torch != nil {
			speed = fmt.Sprintf("%.2f", median(torch.perImage)/median(r.perImage))
			byCPU = fmt.Sprintf("%.2f", median(torch.cpu)/median(r.cpu))
			memory = fmt.Sprintf("%.2f", r.peak/torch.peak)
		}
		fmt.Printf("| %s | %.2f | %.2f | %.2f | %.1f | %s | %s | %s |\n",
			e, median(r.perImage), slices.Min(r.perImage), median(r.cpu), r.peak, speed, byCPU, memory)
	}
	return nil
}

// missing says why an engine cannot run here; "" when it can.
func missing(engine string) string {
	switch engine {
	case "torch":
		if exec.Command(python(), "-c", "import torch").Run() != nil {
			return python() + " has no torch"
		}
	case "torch-cuda", "torch-cuda-compile":
		if exec.Command(python(), "-c", "import torch; assert torch.cuda.is_available()").Run() != nil {
			return python() + " has no torch that sees a GPU"
		}
	case "onnx":
		if backend.FindORT() == "" {
			return "no ONNX Runtime library: run `make ort` or set " + backend.EnvORT
		}
	}
	return ""
}

// run is one turn of an engine in a process of its own.
func (r *result) run(engine string, o options) error {
	var cmd *exec.Cmd
	if isTorch(engine) {
		cmd = exec.Command(python(), append([]string{"bench/deeplab/step.py", engine}, o.args()...)...)
		cmd.Env = append(os.Environ(), torchEnv...)
	} else {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		cmd = exec.Command(self, append([]string{"-worker", engine}, o.args()...)...)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", engine, err)
	}
	first := true
	for lines := bufio.NewScanner(&out); lines.Scan(); first = false {
		var wall, cpu float64
		if _, err := fmt.Sscan(lines.Text(), &wall, &cpu); err != nil {
			return fmt.Errorf("%s printed %q, want seconds and CPU seconds", engine, lines.Text())
		}
		if !first { // the first step compiles and allocates
			r.perImage = append(r.perImage, wall/float64(o.batch))
			r.cpu = append(r.cpu, cpu/float64(o.batch))
		}
	}
	if len(r.perImage) == 0 {
		return fmt.Errorf("%s printed no times", engine)
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.peak = max(r.peak, float64(usage.Maxrss)/(1<<20))
	}
	return nil
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
