// Package jobs divides a list of items among processes, on one machine or many,
// that share nothing but a folder or a bucket: no locks, no clock, no server.
//
// The list is cut into chunks. A process takes one by making the chunk's lease,
// a file that only one can make. While it lives it counts up a number in a file
// of its own, its beat. Who sees a beat stand still for the job's time, by its
// own clock, takes the dead process's chunk over with a lease of the next
// generation. Clocks of different machines are never compared. When all chunks
// are taken, idle processes work from the back of chunks that others still have.
//
//	DIR/plan.json                 what is divided, and how
//	DIR/chunks/000012.0           lease of chunk 12, first generation: its owner
//	DIR/chunks/000012.1           … taken over from an owner that died
//	DIR/chunks/000012.1.help      somebody works from its back
//	DIR/chunks/000012.done        finished; .some: finished, and some items failed
//	DIR/workers/NAME.json         a process: its beat, and how far it is
//
// Two processes never take one chunk at a time. One that was only slow, or
// stopped, learns from Holds that its chunk is another's; up to that moment it goes on
// beside the one that took the chunk over. What both write must be the same bytes,
// whole or not at all.
package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"wsss/checkpoints/files"
)

const (
	planName   = "plan.json"
	chunkDir   = "chunks"
	workerDir  = "workers"
	maxRecord  = 16 << 20 // bytes that are read of one file of a job
	defaultExp = time.Minute
)

// Plan is what a job divides. All processes of a job agree on it.
type Plan struct {
	About string `json:"about,omitempty"` // for people
	Hash  string `json:"hash"`            // of everything that the work depends on, the list of items too
	Items int    `json:"items"`
	Size  int    `json:"chunk"` // items in a chunk, the last one aside
	// Parts, where it is not 0, is the number of chunks, about equal ones, instead.
	Parts int `json:"parts,omitempty"`
	// Seconds is the time after which a process whose beat stands still is dead.
	Seconds float64 `json:"lease_seconds"`
}

// Chunks is how many there are.
func (p Plan) Chunks() int {
	if p.Parts > 0 {
		return p.Parts
	}
	return (p.Items + p.Size - 1) / p.Size
}

// chunk is the range of items of chunk i.
func (p Plan) chunk(i int) (from, to int) {
	if p.Parts > 0 {
		return i * p.Items / p.Parts, (i + 1) * p.Items / p.Parts
	}
	return i * p.Size, min((i+1)*p.Size, p.Items)
}

func (p Plan) expire() time.Duration { return time.Duration(p.Seconds * float64(time.Second)) }

// beat is how often a process counts up.
func (p Plan) beat() time.Duration { return max(p.expire()/6, 10*time.Millisecond) }

// Chunk sizes: small enough that many processes share a small list, large
// enough that leases cost nothing beside the work.
const (
	smallest, largest = 16, 256
	perJob            = 64
)

func (p Plan) withDefaults() Plan {
	if p.Size <= 0 {
		p.Size = min(max(p.Items/perJob, smallest), largest)
	}
	if p.Seconds <= 0 {
		p.Seconds = defaultExp.Seconds()
	}
	return p
}

var nameRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// CheckName refuses names of jobs that are no plain file name.
func CheckName(name string) error {
	if !nameRule.MatchString(name) {
		return fmt.Errorf("job %q: allowed are letters, digits, dots, dashes and underscores, at most 100, the first a letter or digit", name)
	}
	return nil
}

// OtherError tells that a job of this name divides something else.
type OtherError struct {
	Dir  string
	Have Plan
}

func (e *OtherError) Error() string {
	return fmt.Sprintf("%s: this job was begun with another config, other weights or another list of images (%s): choose another name for the job, or another out", e.Dir, e.Have.About)
}

// Job is a process's part in a job.
type Job struct {
	Plan
	dir    string
	worker string

	beats sync.WaitGroup
	stop  context.CancelFunc

	mu    sync.Mutex // guards what follows
	me    Worker
	time  time.Time // at which the process joined
	told  time.Time // … and its last beat came through
	doubt bool      // since then others may have taken it for dead

	// Of Next and Once, which are called from one goroutine.
	seen    map[string]sighting // by name of the worker
	owners  map[string]string   // by lease, those that have been read
	board   board
	listed  time.Time
	listing time.Duration // which that took
	cursor  int
}

// Join takes part in the job of folder dir; the first process makes it from
// the plan, whose Size and Seconds later ones take over. An *OtherError tells that the
// job is of another Hash. Leave ends it.
func Join(ctx context.Context, dir string, p Plan) (*Job, error) {
	p = p.withDefaults()
	have, err := readPlan(dir)
	if errors.Is(err, fs.ErrNotExist) {
		raw, _ := json.MarshalIndent(p, "", "  ")
		if err := files.CreateNew(filepath.Join(dir, planName), append(raw, '\n')); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("%s: a job cannot be begun here: %w", dir, err)
		}
		have, err = readPlan(dir)
	}
	if err != nil {
		return nil, err
	}
	if have.Hash != p.Hash || have.Items != p.Items || have.Parts != p.Parts {
		return nil, &OtherError{dir, have}
	}
	j := &Job{Plan: have, dir: dir, worker: workerName(), seen: map[string]sighting{}, owners: map[string]string{}, time: time.Now(), told: time.Now()}
	j.me = Worker{Name: j.worker}
	if err := errors.Join(j.list(), j.tell()); err != nil {
		return nil, err
	}
	ctx, j.stop = context.WithCancel(ctx)
	j.beats.Go(func() { j.keepBeating(ctx) })
	return j, nil
}

func readPlan(dir string) (Plan, error) {
	var p Plan
	path := filepath.Join(dir, planName)
	raw, err := files.ReadLimited(path, maxRecord)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(raw, &p); err != nil || p.Hash == "" || p.Items < 0 || p.Size < 1 || p.Parts < 0 || p.Seconds <= 0 {
		return p, fmt.Errorf("%s: not the plan of a job (%d bytes); remove the folder to begin it anew", path, len(raw))
	}
	return p, nil
}

// path of a file below chunks.
func (j *Job) path(name string) string { return filepath.Join(j.dir, chunkDir, name) }

func chunkKey(i int) string { return fmt.Sprintf("%06d", i) }

// Failure is an item that failed, and why.
type Failure struct {
	Item  string `json:"item"`
	Error string `json:"error"`
}

// result is the file of a finished chunk.
type result struct {
	Worker string    `json:"worker"`
	Failed []Failure `json:"failed,omitempty"`
}

// finish marks a chunk as finished.
func (j *Job) finish(key string, failed []Failure) error {
	for i := range failed {
		failed[i].Error = shorten(failed[i].Error)
	}
	raw, err := json.Marshal(result{j.worker, failed})
	if err != nil {
		return err
	}
	name := key + doneSuffix
	if len(failed) > 0 {
		name = key + someSuffix
	}
	if err := files.CreateNew(j.path(name), raw); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	j.board.finished(key)
	return nil
}

// shorten bounds an error's text: a cell of a table can be megabytes long.
func shorten(text string) string {
	const most = 1000
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
