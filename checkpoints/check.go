package checkpoints

import (
	"fmt"
	"math"
	"path/filepath"
)

// Bounds of what a header may say.
const (
	maxClasses = 1 << 16
	maxSteps   = 1 << 40
	maxLog     = 1 << 40 // bytes
)

// Validate tells whether the model can be a segmentation network: its train
// config is in range and label maps have room for its classes.
func (m Model) Validate() error {
	if m.Train.Arch == "" {
		return fmt.Errorf("its header names no segmentation network: it is a checkpoint of a classifier")
	}
	if err := m.Train.Validate(); err != nil {
		return fmt.Errorf("its header: %w", err)
	}
	if n := len(m.Classes); n < 2 || n > 255 {
		return fmt.Errorf("its header: classes = %d names: allowed is 2 to 255, the background among them", n)
	}
	return nil
}

// check tells whether every field is in range, for a file of this name.
func (m Meta) check(name string) error {
	for _, f := range []struct {
		key             string
		value, low, top int64
	}{
		{"step", int64(m.Step), 0, maxSteps},
		{"drawn", m.Drawn, 0, math.MaxInt64},
		{"epoch", m.Epoch, 0, math.MaxInt64},
		{"images", int64(m.Images), 0, math.MaxInt64},
		{"log_bytes", m.LogBytes, 0, maxLog},
		{"best_step", int64(m.BestStep), 0, int64(m.Step)},
		{"classes", int64(len(m.Model.Classes)), 2, maxClasses},
	} {
		if f.value < f.low || f.value > f.top {
			return fmt.Errorf("its header: %s = %d: allowed is %d to %d", f.key, f.value, f.low, f.top)
		}
	}
	if math.IsNaN(m.Best) || m.Best < 0 || m.Best > 1 {
		return fmt.Errorf("its header: best = %v: allowed is 0 to 1", m.Best)
	}
	if m.Log != filepath.Base(m.Log) {
		return fmt.Errorf("its header: log = %q: allowed is the name of a file", m.Log)
	}
	if step, ok := stepOf(name); ok && step != m.Step {
		return fmt.Errorf("its header is of step %d, its name of step %d", m.Step, step)
	}
	if m.Model.Train.Arch == "" {
		return nil // a classifier's
	}
	return m.Model.Validate()
}
