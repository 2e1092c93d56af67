package pipeline

import (
	"encoding/json"
	"os"
	"time"
)

// speedLog lies beside a training's log: how fast it was and what memory it
// took, over the updates. It is a file of its own since no two trainings have
// the same times, and their logs are to be the same.
const speedLog = "speed.jsonl"

// speedEvery is the time between two lines of it.
const speedEvery = 2 * time.Second

// speedometer writes a speedLog. What cannot be written is left out: the
// training does not depend on it.
type speedometer struct {
	path   string
	images int // of an update
	step   int // at the line before
	at     time.Time
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
	line, err := json.Marshal(struct {
		Step   int     `json:"step"`
		Speed  float64 `json:"images_per_s"`
		Memory float64 `json:"peak_memory_mib"`
	}{step, float64((step-s.step)*s.images) / took.Seconds(), float64(PeakMemory() >> 20)})
	s.step, s.at = step, now
	if err != nil {
		return
	}
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.Write(append(line, '\n'))
}
