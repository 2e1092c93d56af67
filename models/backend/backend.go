// Package backend chooses and opens the engine that runs GoMLX graphs:
// xla:cuda where a GPU and its plug-in are found, else onnx where the ONNX
// Runtime library is found, else go, which needs nothing.
package backend

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"github.com/gomlx/compute"
	onnx "github.com/gomlx/compute-onnx"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/go-xla/compute/xla" // backend "xla"
	ort "github.com/yalue/onnxruntime_go"

	"wsss/models/backend/nativelib"
)

// EnvBackend overrides the choice when no -backend is given, as in GoMLX.
const EnvBackend = "GOMLX_BACKEND"

// EnvORT names the ONNX Runtime library file.
const EnvORT = nativelib.EnvORT

// Engines download nothing on their own: `wsss doctor -install` does, when asked.
func init() {
	xla.EnableAutoInstall(false)
	onnx.EnableAutoInstall(false)
}

// Kind is the engine family of an open backend; layers lower by it.
type Kind string

// The engine families.
const (
	Go   Kind = "go"
	ONNX Kind = "onnx"
	XLA  Kind = "xla"
)

// KindOf tells which family b belongs to.
func KindOf(b compute.Backend) Kind {
	switch name := strings.ToLower(b.Name()); {
	case strings.HasPrefix(name, "onnx"):
		return ONNX
	case strings.Contains(name, "xla"):
		return XLA
	}
	return Go
}

// Convolves tells whether b has a convolution of its own that is faster than
// products of matrices: XLA, and ONNX Runtime on a GPU, though not of bfloat16.
func Convolves(b compute.Backend, of dtypes.DType) bool {
	switch KindOf(b) {
	case XLA:
		return true
	case ONNX: // its provider is of an internal type
		return strings.Contains(b.Description(), "GPU") && of != dtypes.BFloat16
	}
	return false
}

// Open opens the backend that spec names, or the best one at hand for "".
// Accepted: go[:options], onnx[:cuda|:migraphx|:/path/libonnxruntime.so],
// xla:cuda[,options], xla:cpu, xla:/path/plugin.so. Nothing is downloaded, and
// no library is taken from the working folder unless its path is given.
func Open(spec string) (compute.Backend, error) {
	if _, err := AskedAtOnce(); err != nil {
		return nil, err
	}
	if spec == "" {
		spec = os.Getenv(EnvBackend)
	}
	if spec == "" {
		return openBest()
	}
	resolved, err := resolve(spec)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(resolved, "xla") && strings.Contains(resolved, "cuda") {
		cacheAutotuning()
	}
	if strings.HasPrefix(resolved, "xla") {
		timeCompilations()
	}
	b, err := open(resolved)
	if err != nil {
		return nil, fmt.Errorf("backend %q does not open: %w\nrun `wsss doctor` to see which backends work here", spec, err)
	}
	exact(b, resolved)
	if KindOf(b) == XLA {
		compilesLong.Store(true)
	}
	if KindOf(b) == ONNX {
		_ = ort.DisableTelemetry() // Microsoft's builds send usage data otherwise
		openedORT.CompareAndSwap(nil, libraryOf(resolved))
	}
	return b, nil
}

// openBest tries the candidates in order of speed; "go" always opens.
func openBest() (compute.Backend, error) {
	for _, spec := range Candidates() {
		if b, err := Open(spec); err == nil {
			return b, nil
		}
	}
	return Open("go")
}

// Candidates lists the backends worth trying here, fastest first, by what is
// on the disk; none is opened.
func Candidates() []string {
	var specs []string
	if _, err := nativelib.XLACUDA.Find(); err == nil && HasGPU() {
		specs = append(specs, "xla:cuda")
	}
	if lib := FindORT(); lib != "" {
		specs = append(specs, "onnx:"+lib)
	}
	return append(specs, "go")
}

// HasGPU tells whether an NVIDIA GPU is visible.
func HasGPU() bool { return nativelib.HasNVIDIA() }

// GPUAdvice says what to do where an NVIDIA GPU is visible but b, which was
// chosen without being asked for, does not use it. "" where that is as it should be.
func GPUAdvice(b compute.Backend) string {
	if KindOf(b) == XLA || !HasGPU() {
		return ""
	}
	if _, err := nativelib.XLACUDA.Find(); err != nil {
		return fmt.Sprintf("an NVIDIA GPU is here, but XLA's plug-in for it is not installed: this runs on the CPU (backend %s), many times slower. Stop it and run\n    wsss doctor -install xla:cuda", b.Name())
	}
	return fmt.Sprintf("an NVIDIA GPU is here and XLA's plug-in too, but they do not work: this runs on the CPU (backend %s), many times slower. What is wrong says\n    wsss doctor", b.Name())
}

// openedORT is the library of the first onnx backend that was opened: a process
// holds no second one.
var openedORT atomic.Pointer[string]

// libraryOf is the library's path in a resolved spec, nil where it names none.
func libraryOf(resolved string) *string {
	_, rest, _ := strings.Cut(resolved, ":")
	for _, part := range strings.Split(rest, ",") {
		if isPath(part) {
			return &part
		}
	}
	return nil
}

// FindORT returns the path of the ONNX Runtime library, or "": that of the onnx
// backend that is open, else the one that is found.
func FindORT() string {
	if path := openedORT.Load(); path != nil {
		return *path
	}
	path, err := nativelib.ONNX.Find()
	if err != nil {
		return ""
	}
	return path
}

// NamesFile tells whether spec gives the path of a library, which is code.
func NamesFile(spec string) bool {
	name, rest, _ := strings.Cut(spec, ":")
	if name == "go" {
		return false
	}
	for _, part := range strings.Split(rest, ",") {
		if isPath(part) {
			return true
		}
	}
	return false
}
