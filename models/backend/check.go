package backend

import (
	"errors"
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
	var missing missingError
	if _, err := resolve(spec); errors.As(err, &missing) {
		return "backend " + spec + ": " + missing.Error(), nil
	} else if err != nil {
		return "", err
	}
	if first, _, _ := strings.Cut(spec, ","); first == "xla:cuda" && !HasGPU() {
		return "backend " + spec + ": no NVIDIA GPU is visible here; `wsss doctor` says what works", nil
	}
	return "", nil
}
