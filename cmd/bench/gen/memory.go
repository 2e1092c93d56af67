package gen

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// meter records the resident memory of this process at ten points of a run.
type meter struct{ points []string }

// progress is a gen.RunOptions.Progress.
func (m *meter) progress(done, total int) {
	if step := max(1, total/10); done%step == 0 && len(m.points) < 10 {
		m.points = append(m.points, fmt.Sprintf("%d: %s", done, resident()))
	}
}

func (m *meter) String() string { return strings.Join(m.points, ", ") }

// resident is the resident set size in words, "?" where the system does not
// tell.
func resident() string {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return "?"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var kib int
		if n, _ := fmt.Sscanf(s.Text(), "VmRSS: %d kB", &kib); n == 1 {
			return fmt.Sprintf("%d MiB", kib>>10)
		}
	}
	return "?"
}
