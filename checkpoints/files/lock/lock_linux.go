package lock

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// processLives tells whether a process of this machine is there.
func processLives(pid int) bool {
	return pid > 0 && !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}

// processSpace tells where PIDs mean the same as here: since the machine was
// booted, in this PID namespace; "" where that is not known.
func processSpace() string {
	boot, err1 := os.ReadFile("/proc/sys/kernel/random/boot_id")
	ns, err2 := os.Readlink("/proc/self/ns/pid")
	if err1 != nil || err2 != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + ns
}
