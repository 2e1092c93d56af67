// Package nativelib finds and installs the native libraries of the engines:
// ONNX Runtime and XLA's plug-ins. A library is code, so none is ever taken
// from the folder that one happens to work in.
package nativelib

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute-onnx/support/onnxruntime"
)

// EnvORT names the ONNX Runtime library file.
const EnvORT = "ONNXRUNTIME_SHARED_LIBRARY_PATH"

// EnvXLA names XLA's plug-in for the CPU, EnvCUDA the one for NVIDIA GPUs.
const (
	EnvXLA  = "WSSS_XLA"
	EnvCUDA = "WSSS_XLA_CUDA"
)

// Library is a native library of an engine.
type Library struct {
	Name   string   // of the backend, "xla:cpu"
	Env    string   // the environment variable that names its file
	folder string   // below the user's cache folder
	files  []string // patterns of the file name, the preferred first
	beside string   // a file that must lie in the same folder, or ""
	others []string // folders of other installers, below the home folder or absolute
}

var (
	ortFiles = []string{"libonnxruntime.so.1", "libonnxruntime.so", "libonnxruntime.so.1.*", "libonnxruntime.1.dylib", "libonnxruntime.dylib", "libonnxruntime.1.*.dylib"}
	goXLA    = []string{".local/lib/go-xla", "Library/Application Support/go-xla", "/usr/local/lib/go-xla"}

	// ONNX is ONNX Runtime on the CPU.
	ONNX = Library{Name: "onnx", Env: EnvORT, folder: "onnxruntime", files: ortFiles, others: []string{gomlxFolder()}}
	// ONNXCUDA is a build of ONNX Runtime with NVIDIA's execution provider.
	ONNXCUDA = Library{Name: "onnx:cuda", Env: EnvORT, folder: "onnxruntime-cuda", files: ortFiles,
		beside: "libonnxruntime_providers_cuda.so", others: []string{gomlxFolder()}}
	// ONNXMIGraphX is a build of ONNX Runtime with AMD's execution provider.
	ONNXMIGraphX = Library{Name: "onnx:migraphx", Env: EnvORT, folder: "onnxruntime-migraphx", files: ortFiles,
		beside: "libonnxruntime_providers_migraphx.so", others: []string{gomlxFolder() + "-migraphx"}}
	// XLACPU is XLA's plug-in for the CPU.
	XLACPU = Library{Name: "xla:cpu", Env: EnvXLA, folder: "xla", others: goXLA,
		files: []string{"pjrt_c_api_cpu_plugin.so", "pjrt_c_api_cpu_plugin.dylib", "pjrt_c_api_cpu_*_plugin.so", "pjrt_c_api_cpu_*_plugin.dylib"}}
	// XLACUDA is XLA's plug-in for NVIDIA GPUs.
	XLACUDA = Library{Name: "xla:cuda", Env: EnvCUDA, folder: "xla-cuda/lib/go-xla/nvidia",
		files:  []string{"pjrt_c_api_cuda_plugin.so", "xla_cuda_plugin.so"},
		others: []string{".local/lib/go-xla/nvidia", "/usr/local/lib/go-xla/nvidia"}}
)

// All are the libraries that wsss knows.
var All = []Library{XLACUDA, ONNX, XLACPU, ONNXCUDA, ONNXMIGraphX}

// gomlxFolder is where GoMLX's own installer puts ONNX Runtime.
func gomlxFolder() string {
	dir, err := onnxruntime.GetInstallPath()
	if err != nil {
		return ""
	}
	return dir
}

// CacheDir is the folder of installed libraries in the user's cache folder.
func CacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder of the user: %w", err)
	}
	if !filepath.IsAbs(dir) {
		return "", fmt.Errorf("the user's cache folder %s is not an absolute path: set HOME or XDG_CACHE_HOME", dir)
	}
	return filepath.Join(dir, "wsss"), nil
}

// Find returns the absolute path of the library: what its environment variable
// names and nothing else where that is set, else the first file in Places. A
// variable that names a build without the library's execution provider means
// another library, and is passed over.
func (l Library) Find() (string, error) {
	if named := os.Getenv(l.Env); named != "" {
		path, err := filepath.Abs(named)
		if err == nil {
			err = isFile(path)
		}
		if err != nil {
			return "", fmt.Errorf("%s=%s: %w", l.Env, named, err)
		}
		if l.beside == "" || isFile(filepath.Join(filepath.Dir(path), l.beside)) == nil {
			return path, nil
		}
	}
	for _, dir := range l.Places() {
		if path := l.in(dir); path != "" {
			return path, nil
		}
	}
	return "", l.missing()
}

func (l Library) missing() error {
	what := l.files[0]
	if l.beside != "" {
		what += " with " + l.beside
	}
	text := "no " + what + " beside the binary, in the user's cache or in the system's folders; " + l.Env + " may name the file"
	if l.Name != ONNXMIGraphX.Name {
		text += ", and `wsss doctor -install " + l.Name + "` fetches it"
	}
	return errors.New(text)
}

// Places are the folders where Find looks, all absolute: beside the binary, the
// user's cache folder, where other installers put it, and the system's.
func (l Library) Places() []string {
	var places []string
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			dir := filepath.Dir(exe)
			places = append(places, dir, filepath.Join(dir, "lib"), filepath.Join(filepath.Dir(dir), "lib", "wsss"))
		}
	}
	if cache, err := CacheDir(); err == nil {
		places = append(places, filepath.Join(cache, l.folder))
	}
	home, _ := os.UserHomeDir()
	for _, dir := range l.others {
		if dir != "" && !filepath.IsAbs(dir) && home != "" {
			dir = filepath.Join(home, dir)
		}
		places = append(places, dir)
	}
	places = append(places, "/usr/local/lib", "/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/opt/homebrew/lib")
	return slices.DeleteFunc(places, func(dir string) bool { return !filepath.IsAbs(dir) })
}

// in returns the library's file in a folder, or "".
func (l Library) in(dir string) string {
	if l.beside != "" && isFile(filepath.Join(dir, l.beside)) != nil {
		return ""
	}
	for _, pattern := range l.files {
		found, err := filepath.Glob(filepath.Join(escape(dir), pattern))
		if err != nil {
			continue
		}
		slices.Sort(found)
		slices.Reverse(found) // of several versions the newest
		for _, path := range found {
			if isFile(path) == nil {
				return path
			}
		}
	}
	return ""
}

// escape makes a folder's name match itself alone.
func escape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func isFile(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	return err
}
