// Package turns measures engines beside each other: each runs in a process of
// its own, one at a time, in turns, so that a machine that slows down for a
// while does so for all.
//
// A worker prints a line per run, seconds and CPU seconds, the first of which
// warms up.
package interleave

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"wsss/cmd/bench/internal/spent"
	"wsss/models/backend"
)

// Result is what one engine did in all rounds.
type Result struct {
	Wall []float64 // seconds, one per timed run
	CPU  []float64 // CPU seconds of the same
	Peak float64   // memory of the process, GiB
}

// Python is the interpreter that has PyTorch: $PYTHON, else that of `make torch`,
// else Debian's.
func Python() string {
	return cmp.Or(os.Getenv("PYTHON"), os.Getenv("WSSS_TORCH"), "/usr/bin/python3")
}

// torchEnv keeps PyTorch from burning the second core in spin loops and from
// giving memory back between runs: with it, it is at its best.
var torchEnv = []string{"OMP_WAIT_POLICY=passive", "MALLOC_MMAP_THRESHOLD_=4294967296", "MALLOC_TRIM_THRESHOLD_=17179869184"}

// isTorch tells whether an engine is PyTorch: torch (CPU, eager),
// torch-channels-last, torch-compile (channels last and compiled), torch-cuda,
// torch-cuda-compile.
func isTorch(engine string) bool { return strings.HasPrefix(engine, "torch") }

// Missing says why an engine cannot run here; "" when it can. Engines are
// PyTorch, "ort" (ONNX Runtime itself) and backends of wsss.
func Missing(engine string) string {
	switch engine {
	case "torch", "torch-channels-last", "torch-compile":
		if exec.Command(Python(), "-c", "import torch").Run() != nil {
			return Python() + " has no torch"
		}
		if engine == "torch-compile" && !compiler() {
			return "torch.compile needs a C++ compiler: install g++, or name one by CXX"
		}
	case "torch-cuda", "torch-cuda-bf16", "torch-cuda-compile":
		if exec.Command(Python(), "-c", "import torch; assert torch.cuda.is_available()").Run() != nil {
			return Python() + " has no torch that sees a GPU"
		}
	case "onnx", "ort":
		if backend.FindORT() == "" {
			return "no ONNX Runtime library: run `make ort` or set " + backend.EnvORT
		}
	}
	return ""
}

// compiler tells whether PyTorch finds a C++ compiler, as it looks for one.
func compiler() bool {
	for _, name := range []string{os.Getenv("CXX"), "g++", "clang++"} {
		if _, err := exec.LookPath(name); name != "" && err == nil {
			return true
		}
	}
	return false
}

// Present drops the engines that cannot run here, telling why.
func Present(engines []string) []string {
	return slices.DeleteFunc(engines, func(e string) bool {
		why := Missing(e)
		if why != "" {
			fmt.Printf("%s left out: %s\n", e, why)
		}
		return why != ""
	})
}

// Run is one turn of an engine: script in Python for PyTorch, else this
// program with the command, os.Args[0], and -worker ENGINE; both take args.
func (r *Result) Run(engine, script string, args []string) error {
	var cmd *exec.Cmd
	if isTorch(engine) {
		cmd = exec.Command(Python(), append([]string{script, engine}, args...)...)
		cmd.Env = append(os.Environ(), torchEnv...)
	} else {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		cmd = exec.Command(self, append([]string{os.Args[0], "-worker", engine}, args...)...)
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
		if !first { // the first run compiles and allocates
			r.Wall, r.CPU = append(r.Wall, wall), append(r.CPU, cpu)
		}
	}
	if len(r.Wall) == 0 {
		return fmt.Errorf("%s printed no times", engine)
	}
	_, peak := spent.By(cmd.ProcessState)
	r.Peak = max(r.Peak, float64(peak)/(1<<30))
	return nil
}

// Work does a worker's part: it runs step and prints its times, count of them
// after one that warms up. profile, where given, is the file for a CPU profile
// of the timed ones.
func Work(count int, profile string, step func() error) error {
	for i := range count + 1 {
		if i == 1 && profile != "" {
			f, err := os.Create(profile)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := pprof.StartCPUProfile(f); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
		}
		start, cpu := time.Now(), spent.Self()
		if err := step(); err != nil {
			return err
		}
		fmt.Println(time.Since(start).Seconds(), (spent.Self() - cpu).Seconds())
	}
	return nil
}

// Median is the middle of v, or the mean of the two in the middle.
func Median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
