// Package probe finds out which backends work on this machine, how fast they are,
// and what would fix the others.
package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
	"wsss/models/backend/nativelib"
)

// Found is what there is to say about one backend.
type Found struct {
	Description string  `json:"description"`
	GFLOPS      float64 `json:"gflops"` // of a matrix product
	Error       string  `json:"error,omitempty"`
}

// Specs are the backends to try, the fastest first, and what the
// environment names beside them.
func Specs() []string {
	specs := []string{"xla:cuda", "onnx", "xla:cpu", "go", "onnx:cuda", "onnx:migraphx"}
	if named := os.Getenv(backend.EnvBackend); named != "" && !slices.Contains(specs, named) {
		specs = append([]string{named}, specs...)
	}
	return specs
}

// InChild finds out in a process of its own, within 90 s, so that a broken plug-in
// cannot take this one down. command are the words by which this program calls
// Here and prints what it gives as JSON; the backend's name is appended.
func InChild(ctx context.Context, spec string, command ...string) Found {
	self, err := os.Executable()
	if err != nil {
		return Found{Error: err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, append(command, spec)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var p Found
	if err != nil || json.Unmarshal(out, &p) != nil {
		return Found{Error: fmt.Sprintf("the check died: %v %s", err, firstLine(stderr.String()))}
	}
	return p
}

// Here opens a backend and times a 512³ matrix product on it.
func Here(spec string) (p Found) {
	defer func() {
		if r := recover(); r != nil {
			p = Found{Error: fmt.Sprint(r)}
		}
	}()
	b, err := backend.Open(spec)
	if err != nil {
		return Found{Error: rootCause(err)}
	}
	return Found{Description: b.Description(), GFLOPS: matmulSpeed(b)}
}

// rootCause strips the advice that backend.Open adds, which Fix replaces.
func rootCause(err error) string {
	text := firstLine(err.Error())
	if _, cause, ok := strings.Cut(text, "does not open: "); ok {
		return cause
	}
	return text
}

// matmulSpeed times a product of 512³, in GFLOP/s.
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

// outdated tells that a plug-in which wsss installed is not the pinned one.
func outdated(spec string) string {
	plan, err := nativelib.PlanInstall(spec, true)
	if err != nil || !plan.Installed() || plan.Current() {
		return ""
	}
	return "an older installation; `wsss doctor -install " + spec + "` brings the one that this version was tried with"
}

// Chosen is the backend that an automatic choice ends at.
func Chosen(found map[string]Found) string {
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

// Fix says what would make a backend work that does not.
func Fix(spec string) string {
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
