package backend

import (
	"os"
	"strings"
)

// Check looks at a spec as Open takes it, and opens and loads nothing. err says
// that there is no such backend; lack, what this machine has not got of it, ""
// where nothing tells against it.
func Check(spec string) (lack string, err error) {
	if spec == "" {
		spec = os.Getenv(EnvBackend)
	}
	if spec == "" {
		return "", nil
	}
	if _, err := resolve(spec); err != nil {
		return "", err
	}
	name, rest, _ := strings.Cut(spec, ":")
	first, _, _ := strings.Cut(rest, ",")
	switch {
	case name != "go" && strings.ContainsRune(first, os.PathSeparator):
		if info, err := os.Stat(first); err != nil || info.IsDir() {
			return "backend " + spec + ": there is no library " + first, nil
		}
	case name == "xla" && first == "cuda" && !HasGPU():
		return "backend " + spec + ": no NVIDIA GPU is visible here; `wsss doctor` says what works", nil
	case strings.HasPrefix(name, "onnx") && FindORT() == "" && os.Getenv(envNoInstall) != "":
		return "backend " + spec + ": the ONNX Runtime library is not found; `wsss doctor` says where it is looked for", nil
	}
	return "", nil
}
