package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sys/cpu"

	"wsss/cmd/pipeline"
	"wsss/models/backend"
	"wsss/models/backend/nativelib"
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
  wsss doctor -install xla:cuda    fetch XLA's plug-in for NVIDIA GPUs, 2 to 3 GB
  wsss doctor -install xla:cpu     fetch XLA's plug-in for the CPU

Nothing is fetched unless asked for here. Versions and SHA-256 are fixed in this
binary; an older installation is replaced. It goes to the user's cache folder.`

// probe is what a child process finds out about one backend.
type probe struct {
	Description string  `json:"description"`
	GFLOPS      float64 `json:"gflops"`
	Error       string  `json:"error,omitempty"`
}

func runDoctor(ctx context.Context, args []string) error {
	f := newFlags("doctor", doctorIntro)
	install := f.String("install", "", "download a `backend`: onnx, onnx:cuda, xla:cpu or xla:cuda")
	force := f.Bool("force", false, "with -install: for a GPU that is not visible here, and what is installed already")
	probeSpec := f.String("probe", "", "internal: check one `backend` in this process and print JSON")
	asJSON := f.Bool("json", false, "print the findings as JSON")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	switch {
	case *probeSpec != "":
		return json.NewEncoder(stdout).Encode(probeHere(*probeSpec))
	case *install != "":
		return installBackend(ctx, *install, *force)
	}
	found := map[string]probe{}
	for _, spec := range doctorSpecs() {
		found[spec] = probeChild(ctx, spec)
	}
	if *asJSON {
		return json.NewEncoder(stdout).Encode(found)
	}
	printDoctor(found)
	return nil
}

// doctorSpecs are the backends to try, the fastest first, and what the
// environment names beside them.
func doctorSpecs() []string {
	specs := []string{"xla:cuda", "onnx", "xla:cpu", "go", "onnx:cuda", "onnx:migraphx"}
	if named := os.Getenv(backend.EnvBackend); named != "" && !slices.Contains(specs, named) {
		specs = append([]string{named}, specs...)
	}
	return specs
}

func printDoctor(found map[string]probe) {
	fmt.Fprintf(stdout, "machine   %s/%s, %d cores, NVIDIA GPU %s\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), yesNo(backend.HasGPU(), "found", "not found"))
	fmt.Fprintf(stdout, "SIMD      %s\n", simdState())
	for _, spec := range doctorSpecs() {
		p := found[spec]
		if p.Error == "" {
			fmt.Fprintf(stdout, "%-9s works   %6.0f GFLOP/s  %s\n", spec, p.GFLOPS, p.Description)
			if note := outdated(spec); note != "" {
				fmt.Fprintf(stdout, "%9s %s\n", "", note)
			}
			continue
		}
		fmt.Fprintf(stdout, "%-9s missing %s\n%9s fix: %s\n", spec, brief(p.Error), "", fixFor(spec))
	}
	fmt.Fprintln(stdout, "\nlibraries are looked for, in this order, in")
	for _, l := range []nativelib.Library{nativelib.ONNX, nativelib.XLACPU, nativelib.XLACUDA} {
		named := os.Getenv(l.Env)
		fmt.Fprintf(stdout, "  %-9s %s%s; then %s\n", l.Name, l.Env, yesNo(named == "", " (not set)", "="+named), strings.Join(l.Places(), ", "))
	}
	if named := os.Getenv(backend.EnvBackend); named != "" {
		fmt.Fprintf(stdout, "\nwsss uses %s, which %s names, unless -backend or a config says otherwise.\n", named, backend.EnvBackend)
		return
	}
	fmt.Fprintf(stdout, "\nwsss uses %s unless -backend, a config or %s says otherwise.\n", chosen(found), backend.EnvBackend)
	if found["xla:cuda"].Error != "" && backend.HasGPU() {
		fmt.Fprintln(stdout, "The GPU is not used: `wsss doctor -install xla:cuda` fetches what is missing.")
	}
}

// outdated tells that a plug-in which wsss installed is not the pinned one.
func outdated(spec string) string {
	plan, err := nativelib.PlanInstall(spec, true)
	if err != nil || !plan.Installed() || plan.Current() {
		return ""
	}
	return "an older installation; `wsss doctor -install " + spec + "` brings the one that this version was tried with"
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
	built := strings.Contains(pipeline.Versions()["goexperiment"], "simd")
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
	switch {
	case spec == "xla:cuda" && !backend.HasGPU():
		return "needs an NVIDIA GPU with its driver; then `wsss doctor -install xla:cuda`"
	case spec == "onnx":
		return "`wsss doctor -install onnx`, or set " + backend.EnvORT + "=/path/to/libonnxruntime.so"
	case spec == "onnx:cuda":
		return "needs an NVIDIA GPU, CUDA 13 and cuDNN 9; then `wsss doctor -install onnx:cuda`"
	case spec == "onnx:migraphx":
		return "needs an AMD GPU and ROCm; then set " + backend.EnvORT + " to libonnxruntime.so of AMD's onnxruntime-migraphx"
	case spec == "xla:cpu", spec == "xla:cuda":
		return "`wsss doctor -install " + spec + "`, or -backend xla:path/to/pjrt_plugin.so"
	}
	return "give -backend, or " + backend.EnvBackend + ", another name"
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

func installBackend(ctx context.Context, spec string, force bool) error {
	plan, err := nativelib.PlanInstall(spec, force)
	if err != nil {
		return pipeline.Usagef("doctor -install: %v", err)
	}
	if plan.Current() && !force {
		fmt.Fprintf(stdout, "%s is installed already, with the versions of %s\n", spec, plan.Lock)
		return nil
	}
	path, err := plan.Install(ctx, func(line string) { fmt.Fprintln(stderr, line) })
	if err != nil {
		return fmt.Errorf("doctor -install %s: %w", spec, err)
	}
	fmt.Fprintln(stdout, "installed", path)
	return nil
}
