package pipeline

import (
	"encoding/json"
	"math"
	"path/filepath"
	"time"

	"wsss/checkpoints/files"
	"wsss/models/backend"
)

// speedLog lies beside a training's log: how fast it was, what memory it took and
// what was compiled since this call began, over the updates. It is a file of its own since no two trainings have
// the same times, and their logs are to be the same.
const speedLog = "speed.jsonl"

// speedEvery is the time between two lines of it.
const speedEvery = 2 * time.Second

// speedometer writes a speedLog. What cannot be written is left out: the
// training does not depend on it.
type speedometer struct {
	path   string
	images int // of an update
	file   *files.Growing
	synced time.Time
	step   int // at the line before
	at     time.Time

	compiled  int           // graphs, when this call began …
	compiling time.Duration // … and what they took
}

// newSpeedometer begins to measure a training in dir.
func newSpeedometer(dir string, images int) *speedometer {
	return &speedometer{path: filepath.Join(dir, speedLog), images: images, compiled: backend.Compilations(), compiling: backend.CompileTime()}
}

// tick is told of every update.
func (s *speedometer) tick(step int) {
	now := time.Now()
	if s.at.IsZero() || step < s.step {
		s.step, s.at = step, now
		return
	}
	took := now.Sub(s.at)
	if took < speedEvery {
		return
	}
	compiled := 0
	if backend.CompilesLong() { // else a matter of milliseconds
		compiled = backend.Compilations() - s.compiled
	}
	line, err := json.Marshal(struct {
		Step   int     `json:"step"`
		Speed  float64 `json:"images_per_s"`
		Memory float64 `json:"peak_memory_mib"`

		Compiled  int     `json:"compilations,omitempty"`
		Compiling float64 `json:"compile_s,omitempty"`
	}{step, float64((step-s.step)*s.images) / took.Seconds(), float64(PeakMemory() >> 20),
		compiled, (backend.CompileTime() - s.compiling).Seconds()})
	s.step, s.at = step, now
	if err != nil {
		return
	}
	if s.file == nil {
		if s.file, _, err = files.OpenGrowing(s.path, math.MaxInt64); err != nil {
			s.file = nil
			return
		}
	}
	_, _ = s.file.Write(append(line, '\n'))
	if files.IsRemote(s.path) && now.Sub(s.synced) >= putUpEvery {
		_ = s.file.Sync()
		s.synced = now
	}
}

// putUpEvery is the time between two copies of it in object storage.
const putUpEvery = 30 * time.Second

// close ends the measuring.
func (s *speedometer) close() {
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}
