package gen

import (
	"fmt"
	"strings"

	"wsss/models/backend"
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
	n, err := backend.ResidentMemory()
	if err != nil {
		return "?"
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
