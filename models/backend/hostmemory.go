package backend

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"wsss/checkpoints/files"
)

// MeasurePeak is the most memory that the process holds while f runs, resident, in
// bytes. Only Linux tells it.
func MeasurePeak(f func() error) (int64, error) {
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the peak begins anew
		return 0, fmt.Errorf("the system does not tell how much memory the process takes: %w", err)
	}
	if err := f(); err != nil {
		return 0, err
	}
	return PeakMemory()
}

// PeakMemory is the most that the process has held, resident, in bytes.
func PeakMemory() (int64, error) { return status("VmHWM") }

// ResidentMemory is what the process holds now, in bytes.
func ResidentMemory() (int64, error) { return status("VmRSS") }

// status reads a size of the process, meminfo one of the machine.
func status(key string) (int64, error)  { return kilobytes("/proc/self/status", key) }
func meminfo(key string) (int64, error) { return kilobytes("/proc/meminfo", key) }

func kilobytes(path, key string) (int64, error) {
	raw, err := files.ReadFile(path)
	if err != nil {
		return 0, err
	}
	_, rest, ok := bytes.Cut(raw, []byte(key+":"))
	var kb int64
	if _, err := fmt.Sscan(string(rest[:min(len(rest), 64)]), &kb); !ok || err != nil {
		return 0, fmt.Errorf("the system does not tell %s", key)
	}
	return kb << 10, nil
}

// AvailableMemory is how many bytes more the process may take: of the machine, and
// of the container that it runs in.
func AvailableMemory() (int64, error) {
	free, err := meminfo("MemAvailable")
	if err != nil {
		return 0, err
	}
	for _, group := range [][2]string{
		{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
		{"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"},
	} {
		most, err1 := number(group[0])
		used, err2 := number(group[1])
		if errors.Join(err1, err2) == nil {
			free = min(free, max(most-used, 0))
		}
	}
	return free, nil
}

// number reads a file that holds one; "max" is no limit.
func number(path string) (int64, error) {
	raw, err := files.ReadFile(path)
	if err != nil {
		return 0, err
	}
	text := strings.TrimSpace(string(raw))
	if text == "max" {
		return math.MaxInt64, nil
	}
	return strconv.ParseInt(text, 10, 64)
}
