// Package backend chooses and opens the engine that runs GoMLX graphs:
// xla:cuda where a GPU and its plug-in are found, else onnx where the ONNX
// Runtime library is found, else go, which needs nothing.
package backend

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute-onnx" // backend "onnx"
	"github.com/gomlx/compute-onnx/support/onnxruntime"
	_ "github.com/gomlx/compute/gobackend"              // backend "go"
	_ "github.com/gomlx/go-xla/compute/xla/autoinstall" // backend "xla"
)

// EnvBackend overrides the choice when no -backend is given, as in GoMLX.
const EnvBackend = "GOMLX_BACKEND"

// EnvORT names the ONNX Runtime library file.
const EnvORT = "ONNXRUNTIME_SHARED_LIBRARY_PATH"

// envNoInstall stops the plug-ins from downloading themselves.
const envNoInstall = "GOMLX_NO_AUTO_INSTALL"

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

// Open opens the backend that spec names, or the best one at hand for "".
// Accepted: go[:options], onnx[:library path or options], xla:cuda[,options],
// xla:cpu, xla:/path/plugin.so. An automatic choice never downloads anything;
// a named xla or onnx backend may, unless GOMLX_NO_AUTO_INSTALL is set.
func Open(spec string) (compute.Backend, error) {
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
	b, err := compute.NewWithConfig(resolved)
	if err != nil {
		return nil, fmt.Errorf("backend %q does not open: %w\nrun `wsss doctor` to see which backends work here", spec, err)
	}
	exact(b, resolved)
	return b, nil
}

// openBest tries the candidates in order of speed; "go" always opens.
func openBest() (compute.Backend, error) {
	os.Setenv(envNoInstall, "1")
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
	if HasGPU() {
		specs = append(specs, "xla:cuda")
	}
	if lib := FindORT(); lib != "" {
		specs = append(specs, "onnx:"+lib)
	}
	return append(specs, "go")
}

// HasGPU tells whether an NVIDIA device is visible.
func HasGPU() bool {
	for _, p := range []string{"/dev/nvidia0", "/dev/nvidiactl", "/proc/driver/nvidia/version"} {
		if _, err := os.Stat(p); err == nil {
			return true
		}
	}
	return false
}

// FindORT returns the ONNX Runtime library: $ONNXRUNTIME_SHARED_LIBRARY_PATH,
// then where GoMLX installs it, then ./.cache/onnxruntime (make ort), then
// the system's library folders. "" when there is none.
func FindORT() string {
	var places []string
	if p := os.Getenv(EnvORT); p != "" {
		places = append(places, p)
	}
	if dir, err := onnxruntime.GetInstallPath(); err == nil {
		places = append(places, filepath.Join(dir, "libonnxruntime.so"))
	}
	for _, dir := range []string{filepath.Join(".cache", "onnxruntime"), "/usr/local/lib", "/usr/lib", "/usr/lib/x86_64-linux-gnu"} {
		places = append(places, filepath.Join(dir, "libonnxruntime.so"), filepath.Join(dir, "libonnxruntime.so.1"))
	}
	for _, p := range places {
		if info, err := os.Stat(p); err == nil && !info.IsDir() {
			if abs, err := filepath.Abs(p); err == nil {
				return abs
			}
		}
	}
	return ""
}

// resolve fills in what a short spec leaves out.
func resolve(spec string) (string, error) {
	name, rest, _ := strings.Cut(spec, ":")
	switch name {
	case "go":
		// The parallel executor of the go backend deadlocks on large graphs;
		// operations still use every core in sequential mode.
		if !strings.Contains(rest, "ops_") {
			rest = strings.TrimSuffix("ops_sequential,"+rest, ",")
		}
		// GoMLX would leave the gradients of weights to the end of a training
		// step, and keep all that they need until then.
		if !strings.Contains(rest, "_order") {
			rest = "creation_order," + rest
		}
		return "go:" + rest, nil
	case "onnx", "onnxruntime":
		if rest == "" || rest == "cpu" {
			if lib := FindORT(); lib != "" {
				return "onnx:cpu," + lib, nil
			}
		} else if strings.Contains(rest, "/") && !strings.HasPrefix(rest, "cpu") && !strings.HasPrefix(rest, "cuda") {
			return "onnx:cpu," + rest, nil
		}
		return spec, nil
	case "xla":
		return spec, nil
	}
	return "", fmt.Errorf("backend %q is unknown: allowed are go, onnx[:path/to/libonnxruntime.so], xla:cuda, xla:cpu, xla:/path/plugin.so", spec)
}
