package main

import (
	"fmt"
	"os"
	"time"

	"wsss/cmd/pipeline"
)

// grace is how long a command may take to end after Ctrl-C. Whoever takes
// longer waits for something that may never come: a pipe, a disk that does not
// answer. Nothing is lost when it is left there, as nothing is written in place.
const grace = 1500 * time.Millisecond

// endBlocked ends the process some time after Ctrl-C, unless main has by then.
func endBlocked() {
	time.Sleep(grace)
	if most := pipeline.Updating.Patience(); most > 0 {
		fmt.Fprintln(stderr, "wsss: stopping after this update, with a checkpoint; Ctrl-C again stops at once, and goes on from the last one")
		for end := time.Now().Add(most); pipeline.Updating.Patience() > 0 && time.Now().Before(end); {
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(grace)
	}
	sayInterrupted()
	os.Exit(exitInterrupted)
}
