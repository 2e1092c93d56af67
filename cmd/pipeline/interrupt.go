package pipeline

import (
	"sync"
	"time"
)

// Updating are the trainings that are going on: after Ctrl-C they finish the
// present update and save a checkpoint, which may take longer.
var Updating trainings

// trainings tells how long an update takes.
type trainings struct {
	mu      sync.Mutex
	running int
	last    time.Time     // when an update ended
	longest time.Duration // update so far
}

// while runs a training, whose updates progress follows.
func (t *trainings) while(progress func(done, total int), train func(progress func(done, total int)) error) error {
	var first bool
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if first {
			t.running--
		}
	}()
	return train(func(done, total int) {
		t.mu.Lock()
		if now := time.Now(); !first { // what comes before the first update has nothing to save
			first = true
			t.running++
			t.last = now
		} else {
			t.longest = max(t.longest, now.Sub(t.last))
			t.last = now
		}
		t.mu.Unlock()
		if progress != nil {
			progress(done, total)
		}
	})
}

// Patience is how long the trainings may take to save; 0 where there are none.
func (t *trainings) Patience() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running == 0 {
		return 0
	}
	return max(20*time.Second, 3*t.longest)
}
