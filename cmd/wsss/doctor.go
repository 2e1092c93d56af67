package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute-onnx/support/onnxruntime"
	"github.com/gomlx/go-xla/installer"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sys/cpu"

	"wsss/models/backend"
)

func init() {
	register(command{name: "doctor", short: "which backends work on this machine, and what would fix the others", run: runDoctor})
}

const doctorIntro = `
wsss doctor tries every backend in a process of its own, so that a broken
plug-in cannot take the check down, and prints what works, how fast a matrix
product runs, and the command that repairs what does not.

  wsss doctor                      check
  wsss doctor -install onnx        fetch the ONNX Runtime library
  wsss doctor -install xla:cuda    fetch the CUDA plug-in of XLA`

// probe is what a child process finds out about one backend.
type probe struct {
	Description string  `json:"description"`
	GFLOPS      float64 `json:"gflops"`
	Error       string  `json:"error,omitempty"`
}

func runDoctor(ctx context.Context, args []string) error {
	f := newFlags("doctor", doctorIntro)
	install := f.String("install", "", "download a `backend`: onnx, xla:cpu or xla:cuda")
	probeSpec := f.String("probe", "", "internal: check one `backend` in this process and print JSON")
	asJSON := f.Bool("json", false, "print the findings as JSON")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	switch {
	case *probeSpec != "":
		return json.NewEncoder(os.Stdout).Encode(probeHere(*probeSpec))
	case *install != "":
		return installBackend(*install)
	}
	found := map[string]probe{}
	for _, spec := range []string{"go", "onnx", "xla:cpu", "xla:cuda"} {
		found[spec] = probeChild(ctx, spec)
	}
	if *asJSON {
		return json.NewEncoder(os.Stdout).Encode(found)
	}
	printDoctor(found)
	return nil
}

func printDoctor(found map[string]probe) {
	fmt.Printf("machine   %s/%s, %d cores, GPU %s\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), yesNo(backend.HasGPU(), "found", "not found"))
	fmt.Printf("SIMD      %s\n", simdState())
	for _, spec := range []string{"xla:cuda", "onnx", "xla:cpu", "go"} {
		p := found[spec]
		if p.Error == "" {
			fmt.Printf("%-9s works   %6.0f GFLOP/s  %s\n", spec, p.GFLOPS, p.Description)
			continue
		}
		fmt.Printf("%-9s missing %s\n%9s fix: %s\n", spec, brief(p.Error), "", fixFor(spec))
	}
	fmt.Printf("\nwsss uses %s unless -backend or %s says otherwise.\n", chosen(found), backend.EnvBackend)
}

// chosen is the backend that an automatic choice ends at.
func chosen(found map[string]probe) string {
	for _, spec := range backend.Candidates() {
		kind := spec
		if strings.HasPrefix(spec, "onnx") {
			kind = "onnx"
		}
		if found[kind].Error == "" {
			return spec
		}
	}
	return "go"
}

func yesNo(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

// simdState tells whether the go backend's vector kernels are compiled in and
// whether the processor has them.
func simdState() string {
	built := strings.Contains(versions()["goexperiment"], "simd")
	level := "no AVX2"
	switch {
	case cpu.X86.HasAVX512F:
		level = "AVX-512"
	case cpu.X86.HasAVX2:
		level = "AVX2"
	}
	if built {
		return "built in, processor has " + level
	}
	return "not built in (processor has " + level + "); fix: build with `make`, or GOEXPERIMENT=simd go build ./cmd/wsss"
}

func fixFor(spec string) string {
	if spec == "xla:cuda" && !backend.HasGPU() {
		return "needs an NVIDIA GPU with its driver; then `wsss doctor -install xla:cuda`"
	}
	if spec == "onnx" {
		return "`make ort`, or `wsss doctor -install onnx`, or set " + backend.EnvORT + "=/path/to/libonnxruntime.so"
	}
	return "`wsss doctor -install " + spec + "`, or -backend xla:/path/to/pjrt_plugin.so"
}

// brief keeps the part of a loader's message that says what is wrong.
func brief(s string) string {
	s = firstLine(s)
	if head, _, ok := strings.Cut(s, " -- "); ok {
		s = head
	}
	return s
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// probeChild runs the probe in a child process with a time limit.
func probeChild(ctx context.Context, spec string) probe {
	self, err := os.Executable()
	if err != nil {
		return probe{Error: err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "doctor", "-probe", spec)
	cmd.Env = append(os.Environ(), "GOMLX_NO_AUTO_INSTALL=1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var p probe
	if err != nil || json.Unmarshal(out, &p) != nil {
		return probe{Error: fmt.Sprintf("the check died: %v %s", err, firstLine(stderr.String()))}
	}
	return p
}

// probeHere opens a backend and times a 512³ matrix product on it.
func probeHere(spec string) (p probe) {
	defer func() {
		if r := recover(); r != nil {
			p = probe{Error: fmt.Sprint(r)}
		}
	}()
	b, err := backend.Open(spec)
	if err != nil {
		return probe{Error: rootCause(err)}
	}
	return probe{Description: b.Description(), GFLOPS: matmulSpeed(b)}
}

// rootCause strips the advice that backend.Open adds, which doctor replaces.
func rootCause(err error) string {
	text := firstLine(err.Error())
	if _, cause, ok := strings.Cut(text, "does not open: "); ok {
		return cause
	}
	return text
}

func matmulSpeed(b compute.Backend) float64 {
	const n, runs = 512, 5
	data := make([]float32, n*n)
	for i := range data {
		data[i] = float32(i%7) - 3
	}
	x := tensors.FromFlatDataAndDimensions(data, n, n)
	exec := graph.MustNewExec(b, func(a *graph.Node) *graph.Node { return graph.ReduceAllSum(graph.Dot(a, a).Product()) })
	exec.MustCall1(x) // compile
	best := time.Duration(1 << 62)
	for range runs {
		start := time.Now()
		exec.MustCall1(x)
		best = min(best, time.Since(start))
	}
	return 2 * n * n * n / best.Seconds() / 1e9
}

func installBackend(spec string) error {
	switch spec {
	case "onnx":
		path, err := onnxruntime.Install(onnxruntime.DefaultVersion, backend.HasGPU(), "", "", false)
		if err != nil {
			return fmt.Errorf("install onnx: %w", err)
		}
		fmt.Println("installed", path)
		return nil
	case "xla:cpu", "xla:cuda":
		if err := installer.AutoInstallPlugin(strings.TrimPrefix(spec, "xla:"), "", true, installer.Normal); err != nil {
			return fmt.Errorf("install %s: %w", spec, err)
		}
		fmt.Println("installed", spec)
		return nil
	}
	return usagef("doctor: -install %s: allowed are onnx, xla:cpu, xla:cuda", spec)
}
