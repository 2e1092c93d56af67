package pipeline

import (
	"bytes"
	"fmt"
	"runtime"

	"wsss/checkpoints/files"
)

// PeakMemory is the most memory that the process has held, in bytes: resident,
// where the system tells that, else what Go's heap has taken.
func PeakMemory() int64 {
	if raw, err := files.ReadFile("/proc/self/status"); err == nil {
		if _, rest, ok := bytes.Cut(raw, []byte("VmHWM:")); ok {
			var kb int64
			if _, err := fmt.Sscan(string(rest[:min(len(rest), 64)]), &kb); err == nil {
				return kb << 10
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
