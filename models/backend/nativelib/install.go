package nativelib

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// stamp is the file that says which lock file an installation came from.
const stamp = "INSTALLED"

// Plan is what an installation will do.
type Plan struct {
	Library Library
	Lock    string // name of the lock file
	root    string // the folder that it replaces
}

// PlanInstall chooses the packages for a backend's library on this machine:
// onnx, onnx:cuda, xla:cpu or xla:cuda. force installs for a GPU that is not
// visible, as on a login node.
func PlanInstall(name string, force bool) (Plan, error) {
	cache, err := CacheDir()
	if err != nil {
		return Plan{}, err
	}
	i := slices.IndexFunc(All, func(l Library) bool { return l.Name == name })
	if i < 0 || name == ONNXMIGraphX.Name {
		return Plan{}, fmt.Errorf("%q cannot be installed: allowed are onnx, onnx:cuda, xla:cpu, xla:cuda", name)
	}
	p := Plan{Library: All[i], Lock: strings.ReplaceAll(name, ":", "-")}
	top, _, _ := strings.Cut(p.Library.folder, "/")
	p.root = filepath.Join(cache, top)
	if runtime.GOOS+"/"+runtime.GOARCH != "linux/amd64" && name != ONNX.Name {
		return Plan{}, fmt.Errorf("%s: there is no pinned package for %s/%s, only for linux/amd64; %s may name a plug-in of your own", name, runtime.GOOS, runtime.GOARCH, p.Library.Env)
	}
	if !strings.HasSuffix(name, ":cuda") {
		return p, nil
	}
	if !HasNVIDIA() && !force {
		return Plan{}, fmt.Errorf("%s: no NVIDIA GPU is visible here, so nothing is installed; on a login node, -force installs it all the same", name)
	}
	if name == XLACUDA.Name {
		p.Lock, err = cudaLock(Driver())
	}
	return p, err
}

// cudaLock is the lock file for a driver: CUDA 13 needs 580, CUDA 12 needs 525.
// An unknown driver gets CUDA 12, which newer drivers run too.
func cudaLock(driver int) (string, error) {
	switch {
	case driver >= 580:
		return "xla-cuda13", nil
	case driver >= 525 || driver == 0:
		return "xla-cuda12", nil
	}
	return "", fmt.Errorf("xla:cuda: NVIDIA's driver %d is too old: CUDA 12 needs 525 or newer, CUDA 13 needs 580", driver)
}

// Current tells whether exactly the pinned packages are installed.
func (p Plan) Current() bool {
	text, _, err := readLock(p.Lock)
	have, readErr := os.ReadFile(filepath.Join(p.root, stamp))
	return err == nil && readErr == nil && string(have) == text && p.Library.in(p.folder()) != ""
}

// Installed tells whether some version is installed.
func (p Plan) Installed() bool { return isFile(filepath.Join(p.root, stamp)) == nil }

// folder is where the library's file will lie.
func (p Plan) folder() string { return filepath.Join(filepath.Dir(p.root), p.Library.folder) }

// Install fetches the pinned packages, checks their SHA-256 and puts the library
// into the user's cache folder, in the place of an older one. What is there
// stays until the new one is whole. It returns the library's path.
func (p Plan) Install(ctx context.Context, say func(string)) (string, error) {
	text, pins, err := readLock(p.Lock)
	if err != nil {
		return "", err
	}
	return p.install(ctx, text, pins, say)
}

// install fetches the packages of a lock file whose text is given.
func (p Plan) install(ctx context.Context, text string, pins []pin, say func(string)) (string, error) {
	if err := os.MkdirAll(filepath.Dir(p.root), 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(filepath.Dir(p.root), ".tmp-"+filepath.Base(p.root)+"-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	to := filepath.Join(work, "new")
	inside := filepath.Join(to, strings.TrimPrefix(strings.TrimPrefix(p.Library.folder, filepath.Base(p.root)), "/"))
	for i, pin := range pins {
		if err := p.unpackPin(ctx, pin, work, inside, func(done string) { say(fmt.Sprintf("%d of %d: %s %s %s", i+1, len(pins), pin.Name, pin.Version, done)) }); err != nil {
			return "", fmt.Errorf("%s %s: %w", pin.Name, pin.Version, err)
		}
	}
	if err := errors.Join(linkCUDA(inside), os.WriteFile(filepath.Join(to, stamp), []byte(text), 0o644)); err != nil {
		return "", err
	}
	if p.Library.in(inside) == "" {
		return "", fmt.Errorf("the packages of %s hold no %s", p.Lock, p.Library.files[0])
	}
	if err := os.Rename(p.root, filepath.Join(work, "old")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if err := os.Rename(to, p.root); err != nil {
		return "", err
	}
	return p.Library.in(p.folder()), nil
}

// unpackPin downloads one package and takes out what the engine needs.
func (p Plan) unpackPin(ctx context.Context, pin pin, work, to string, say func(string)) error {
	url, hash, err := locate(ctx, pin)
	if err != nil {
		return err
	}
	wheel := filepath.Join(work, "package")
	if err := download(ctx, url, wheel, hash, say); err != nil {
		return err
	}
	if err := unzip(wheel, to, p.target); err != nil {
		return err
	}
	say("installed")
	return os.Remove(wheel)
}

// target is where a file of a package goes below the library's folder, and the
// SHA-256 that it must have; "" for files that are not needed.
func (p Plan) target(name string) (path, hash string) {
	base := filepath.Base(name)
	switch {
	case base == "xla_cuda_plugin.so":
		return "pjrt_c_api_cuda_plugin.so", ""
	case strings.HasPrefix(name, "nvidia/") && !strings.HasSuffix(name, ".py"):
		return strings.TrimPrefix(name, "nvidia/"), ""
	case base == "pjrt_c_api_cpu_plugin.so":
		return base, fileHash(p.Lock, base)
	case strings.HasPrefix(name, "onnxruntime/capi/libonnxruntime"):
		return base, ""
	}
	return "", ""
}

// linkCUDA makes the links by which XLA finds NVIDIA's assembler and cuBLAS.
func linkCUDA(nvidia string) error {
	for from, patterns := range map[string][]string{
		filepath.Join(nvidia, "bin"):       {"cuda_nvcc/bin/ptxas", "cu13/bin/ptxas"},
		filepath.Dir(filepath.Dir(nvidia)): {"cu13/lib/libcublas.so.13", "cu13/lib/libcublasLt.so.13"},
	} {
		for _, pattern := range patterns {
			file := filepath.Join(nvidia, pattern)
			if isFile(file) != nil {
				continue
			}
			target, err := filepath.Rel(from, file)
			if err == nil {
				err = errors.Join(os.MkdirAll(from, 0o755), os.Symlink(target, filepath.Join(from, filepath.Base(file))))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
