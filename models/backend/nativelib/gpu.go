package nativelib

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// HasNVIDIA tells whether an NVIDIA GPU is visible: by its device file, the
// driver's list, or nvidia-smi where neither is there (WSL).
var HasNVIDIA = sync.OnceValue(func() bool {
	for _, pattern := range []string{"/dev/nvidia[0-9]*", "/proc/driver/nvidia/gpus/*"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return true
		}
	}
	return strings.Contains(nvidiaSMI("-L"), "GPU ")
})

// CountNVIDIA is how many NVIDIA GPUs programs see here.
func CountNVIDIA() int {
	if visible, ok := os.LookupEnv("CUDA_VISIBLE_DEVICES"); ok {
		return len(strings.FieldsFunc(visible, func(r rune) bool { return r == ',' || r == ' ' }))
	}
	for _, pattern := range []string{"/dev/nvidia[0-9]*", "/proc/driver/nvidia/gpus/*"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return len(found)
		}
	}
	return strings.Count(nvidiaSMI("-L"), "GPU ")
}

// Driver is the major version of NVIDIA's driver, 0 where it is not known.
func Driver() int {
	text, _ := os.ReadFile("/proc/driver/nvidia/version")
	if v := driverVersion(string(text)); v != 0 {
		return v
	}
	major, _, _ := strings.Cut(strings.TrimSpace(nvidiaSMI("--query-gpu=driver_version", "--format=csv,noheader")), ".")
	v, _ := strconv.Atoi(major)
	return v
}

var driverLine = regexp.MustCompile(`Kernel Module\b.*?\s(\d+)\.\d+`)

// driverVersion reads the text of /proc/driver/nvidia/version.
func driverVersion(text string) int {
	m := driverLine.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	v, _ := strconv.Atoi(m[1])
	return v
}

// nvidiaSMI is what NVIDIA's tool prints, "" where it fails.
func nvidiaSMI(args ...string) string {
	path, err := exec.LookPath("nvidia-smi")
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).Output()
	if err != nil {
		return ""
	}
	return string(out)
}
