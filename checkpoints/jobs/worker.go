package jobs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wsss/checkpoints/files"
)

// Worker is what a process says of itself.
type Worker struct {
	Name    string  `json:"name"`
	Beat    int64   `json:"beat"`
	Done    int     `json:"done"`    // items that it finished
	Failed  int     `json:"failed"`  // items that failed
	Seconds float64 `json:"seconds"` // since it joined
	At      string  `json:"at,omitempty"`
	// Lease is that of the chunk that it works on, and Front how many of the chunk's
	// items, from the first on, are finished and did not fail.
	Lease string `json:"lease,omitempty"`
	Front int    `json:"front,omitempty"`
	// Ended tells that it will do no more, and Error why, where it failed.
	Ended bool   `json:"ended,omitempty"`
	Error string `json:"error,omitempty"`
}

// PerSecond is the speed of the process, items per second.
func (w Worker) PerSecond() float64 {
	if w.Seconds <= 0 {
		return 0
	}
	return float64(w.Done+w.Failed) / w.Seconds
}

// workerName is no other process's: machine, process, and a number drawn.
func workerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "machine"
	}
	host = strings.Map(func(r rune) rune {
		if nameRule.MatchString("a" + string(r)) {
			return r
		}
		return '-'
	}, host)
	return fmt.Sprintf("%.60s-%d-%06x", host, os.Getpid(), rand.Uint32()&0xffffff)
}

// Count adds items that were worked on, for the status.
func (j *Job) Count(done, failed int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.me.Done += done
	j.me.Failed += failed
}

// Through notes that the first n items of a part are finished, and that none of them
// failed: whoever takes the part over from a dead process begins behind those of which
// its last beat told.
func (j *Job) Through(p Part, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.me.Lease == p.lease() && !p.Help {
		j.me.Front = p.From - p.start + n
	}
}

// front is how many of a chunk's items the process of a name has finished, from the
// first on, under a lease.
func (j *Job) front(name, lease string, most int) int {
	w, err := readWorker(j.dir, name)
	if err != nil || w.Lease != lease || w.Front < 0 || w.Front > most {
		return 0
	}
	return w.Front
}

// tell writes the process's file.
func (j *Job) tell() error {
	j.mu.Lock()
	j.me.Beat++
	j.me.Seconds = time.Since(j.time).Seconds()
	me := j.me
	j.mu.Unlock()
	err := files.WriteJSON(filepath.Join(j.dir, workerDir, j.worker+".json"), me)
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	j.doubt = j.doubt || j.late(now)
	if err == nil {
		j.told = now
	}
	return err
}

// late tells whether so much time passed since the last beat that others may soon
// take this process for dead. A machine that slept counted none of it by its own
// clock: the clock on the wall did. j.mu is held.
func (j *Job) late(now time.Time) bool {
	return max(now.Sub(j.told), now.Round(0).Sub(j.told.Round(0))) > j.expire()/2
}

// doubtful tells whether this process may have been taken for dead.
func (j *Job) doubtful() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.doubt || j.late(time.Now())
}

// sure tells that it was not.
func (j *Job) sure() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.doubt = false
}

// keepBeating counts up until ctx ends. A beat that cannot be written is one
// that others miss: they do the work twice at worst.
func (j *Job) keepBeating(ctx context.Context) {
	tick := time.NewTicker(j.beat())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = j.tell()
		}
	}
}

// Leave ends the process's part: what it had taken is free at once. cause is
// why, nil where all is done.
func (j *Job) Leave(cause error) {
	j.stop()
	j.beats.Wait()
	j.mu.Lock()
	j.me.Ended, j.me.At = true, "" // Lease and Front stay, for whoever goes on there
	if cause != nil {
		j.me.Error = shorten(cause.Error())
	}
	j.mu.Unlock()
	_ = j.tell() // if it cannot be written, the others wait until its leases expire
}

// sighting is what this process has seen of another: its beat, and since when
// it stands still by the clock here.
type sighting struct {
	beat  int64
	since time.Time
}

// dead tells whether the owner of a lease will not finish it: it said so, or its
// beat has stood still for the job's time. An owner whose file cannot be read is
// watched like one whose beat is 0.
func (j *Job) dead(name string) bool {
	if name == nobody || name == j.worker {
		return true // nobody's lease, or one of this process whose work failed
	}
	w, err := readWorker(j.dir, name)
	if err == nil && w.Ended {
		return true
	}
	if s, known := j.seen[name]; known && s.beat == w.Beat {
		return time.Since(s.since) >= j.expire()
	}
	j.seen[name] = sighting{w.Beat, time.Now()}
	return false
}

func readWorker(dir, name string) (Worker, error) {
	var w Worker
	if !nameRule.MatchString(name) {
		return w, fs.ErrNotExist
	}
	raw, err := files.ReadLimited(filepath.Join(dir, workerDir, name+".json"), maxRecord)
	if err == nil {
		err = json.Unmarshal(raw, &w)
	}
	return w, err
}

// nobody is the owner of a lease that was given back.
const nobody = "-"

// owner is the process that holds a lease; the lease itself, which is watched as a
// process is, where that is not written down yet: without hard links it is made
// in two steps.
func (j *Job) owner(lease string) (string, error) {
	if name, known := j.owners[lease]; known {
		return name, nil
	}
	raw, err := files.ReadLimited(j.path(lease), maxRecord)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(raw) == 0 {
		return lease, nil
	}
	name := cmp.Or(strings.TrimSpace(string(raw)), nobody)
	if err == nil && bytes.HasSuffix(raw, []byte("\n")) { // whole
		j.owners[lease] = name
	}
	return name, err
}
