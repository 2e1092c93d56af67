package main

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// grace is how long a command may take to end after Ctrl-C. Whoever takes
// longer waits for something that may never come: a pipe, a disk that does not
// answer. Nothing is lost when it is left there, as nothing is written in place.
const grace = 1500 * time.Millisecond

// updating are the trainings that are going on: after Ctrl-C they finish the
// present update and save a checkpoint, which may take longer.
var updating trainings

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

// patience is how long the trainings may take to save; 0 where there are none.
func (t *trainings) patience() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running == 0 {
		return 0
	}
	return max(20*time.Second, 3*t.longest)
}

// endBlocked ends the process some time after Ctrl-C, unless main has by then.
func endBlocked() {
	time.Sleep(grace)
	if most := updating.patience(); most > 0 {
		fmt.Fprintln(stderr, "wsss: stopping after this update, with a checkpoint; Ctrl-C again stops at once, and goes on from the last one")
		for end := time.Now().Add(most); updating.patience() > 0 && time.Now().Before(end); {
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(grace)
	}
	sayInterrupted()
	os.Exit(exitInterrupted)
}
