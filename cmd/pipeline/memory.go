package pipeline

import (
	"runtime"

	"wsss/models/backend"
)

// PeakMemory is the most memory that the process has held, in bytes: resident,
// where the system tells that, else what Go's heap has taken.
func PeakMemory() int64 {
	if n, err := backend.PeakMemory(); err == nil {
		return n
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
