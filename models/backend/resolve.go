package backend

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"wsss/models/backend/nativelib"
)

// allowed are the forms of a backend's name.
const allowed = "go, onnx, onnx:cuda, onnx:migraphx, onnx:path/to/libonnxruntime.so, xla:cuda, xla:cpu, xla:path/to/plugin.so"

// resolve fills in what a short spec leaves out.
func resolve(spec string) (string, error) {
	name, rest, _ := strings.Cut(spec, ":")
	var err error
	switch name {
	case "go":
		return "go:" + goOptions(rest), nil
	case "onnx", "onnxruntime":
		rest, err = ortOptions(rest)
		name = "onnx"
	case "xla":
		rest, err = xlaOptions(rest)
	default:
		return "", fmt.Errorf("backend %q is unknown: allowed are %s", spec, allowed)
	}
	if err != nil {
		return "", fmt.Errorf("backend %q does not open: %w", spec, err)
	}
	return name + ":" + rest, nil
}

func goOptions(rest string) string {
	// One operation after the other, each on every core, needs the least memory: a
	// training step of ResNet-101 peaks at 1.6 GiB so and at 2.7 with several at once.
	if !strings.Contains(rest, "ops_") {
		rest = strings.TrimSuffix("ops_sequential,"+rest, ",")
	}
	// GoMLX would leave the gradients of weights to the end of a training
	// step, and keep all that they need until then.
	if !strings.Contains(rest, "_order") {
		rest = "creation_order," + rest
	}
	return rest
}

// ortOptions names the execution provider, cpu where none is given, and the
// library's file.
func ortOptions(rest string) (string, error) {
	library, provider := nativelib.ONNX, ""
	var others []string
	path := ""
	for _, part := range strings.Split(rest, ",") {
		switch {
		case part == "":
		case part == "cpu":
			provider = part
		case part == "cuda" || part == "gpu":
			library, provider = nativelib.ONNXCUDA, "cuda"
		case part == "migraphx" || part == "rocm" || part == "amd":
			library, provider = nativelib.ONNXMIGraphX, "migraphx"
		case strings.Contains(part, "="):
			others = append(others, part)
		case isPath(part):
			path = part
		default:
			return "", fmt.Errorf("%q is no option: allowed are %s", part, allowed)
		}
	}
	switch provider {
	case "":
		provider = "cpu"
	case "migraphx": // what falls to the CPU does so in one thread: its ScatterND would lose sums (docs/upstream.md)
		others = append(others, "intra_op_num_threads=1")
	}
	path, err := libraryFile(library, path)
	return strings.Join(append([]string{provider, path}, others...), ","), err
}

// xlaOptions puts the plug-in's file in the place of its name.
func xlaOptions(rest string) (string, error) {
	name, options, _ := strings.Cut(rest, ",")
	var path string
	var err error
	switch {
	case name == "" && HasGPU(), name == "cuda", name == "gpu":
		path, err = libraryFile(nativelib.XLACUDA, "")
	case name == "", name == "cpu":
		path, err = libraryFile(nativelib.XLACPU, "")
	case isPath(name):
		path, err = libraryFile(nativelib.Library{}, name)
	default: // a plug-in that another installer put where go-xla looks: tpu, rocm
		return rest, nil
	}
	if err != nil {
		return "", err
	}
	// go-xla takes the kind of a plug-in from its path: folders may mislead it.
	base := strings.ToLower(filepath.Base(path))
	folder := strings.ToLower(filepath.Dir(path))
	if strings.Contains(base, "cpu") && (strings.Contains(folder, "cuda") || strings.Contains(folder, "nvidia")) {
		return "", fmt.Errorf("%s: with cuda or nvidia in its folder's name XLA takes the plug-in for a GPU's; move it to another folder", path)
	}
	if strings.Contains(base, "cuda") && strings.Contains(strings.ToLower(path), "cpu") && !strings.Contains(options, "shared_buffers") {
		options = strings.TrimPrefix(options+",shared_buffers=false", ",")
	}
	if options != "" {
		path += "," + options
	}
	return path, nil
}

// missingError says that a library is not on this machine.
type missingError struct{ error }

// libraryFile makes a given path absolute, or finds the library.
func libraryFile(l nativelib.Library, path string) (string, error) {
	if path == "" {
		found, err := l.Find()
		if err != nil {
			err = missingError{err}
		}
		return found, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(abs)
	if err != nil {
		return "", missingError{fmt.Errorf("there is no library %s: %w", path, err)}
	}
	if !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	if err == nil && strings.Contains(abs, ",") {
		err = fmt.Errorf("%s: a comma in the path of a library is not supported", abs)
	}
	return abs, err
}

// isPath tells a file's path from a name.
func isPath(part string) bool {
	return strings.ContainsAny(part, `/\\`) || strings.Contains(part, ".so") || strings.HasSuffix(part, ".dylib") || strings.HasSuffix(part, ".dll")
}
