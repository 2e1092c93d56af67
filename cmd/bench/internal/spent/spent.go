// Package spent tells what processes have taken.
package spent

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

// Self is the CPU time that this process has taken.
func Self() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// By is the CPU time of a process that has ended, and the most memory that it held,
// resident, in bytes; 0 where the system does not tell. getrusage counts kilobytes on
// Linux and bytes on macOS.
func By(p *os.ProcessState) (cpu time.Duration, peak int64) {
	if u, ok := p.SysUsage().(*syscall.Rusage); ok {
		peak = int64(u.Maxrss)
		if runtime.GOOS != "darwin" {
			peak <<= 10
		}
	}
	return p.UserTime() + p.SystemTime(), peak
}
