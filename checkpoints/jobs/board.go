package jobs

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"wsss/checkpoints/files"
)

const (
	doneSuffix = ".done" // finished
	someSuffix = ".some" // finished, and some items failed
	helpSuffix = ".help"
)

// entry is what the files of one chunk say.
type entry struct {
	gen    int  // of the newest lease; -1 = free
	helped bool // somebody works from the back of it
	done   bool
	some   bool
}

// board is what is known of the chunks, by key. Leases are never taken away; results
// are, by Retry, which makes a newer lease first.
type board map[string]entry

func (b board) of(key string) entry {
	e, ok := b[key]
	if !ok {
		e.gen = -1
	}
	return e
}

func (b board) taken(key string, gen int) {
	e := b.of(key)
	if gen > e.gen {
		e.gen, e.helped = gen, false
	}
	b[key] = e
}

func (b board) finished(key string) {
	e := b.of(key)
	e.done = true
	b[key] = e
}

// keep adds what was known before, as a listing of a store may be older than that.
func (b board) keep(before board) {
	for key, old := range before {
		e := b.of(key)
		if e.gen > old.gen {
			continue
		}
		old.done, old.some = old.done || e.done, old.some || e.some
		old.helped = old.helped || e.helped && e.gen == old.gen
		b[key] = old
	}
}

// readBoard lists the chunks of a job. It reads no file.
func readBoard(dir string) (board, error) {
	entries, err := files.ReadDir(filepath.Join(dir, chunkDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	b := make(board, len(entries)/2)
	helps := map[string]int{}
	for _, f := range entries {
		b.note(f.Name(), helps)
	}
	for key, gen := range helps {
		if e := b.of(key); e.gen == gen {
			e.helped = true
			b[key] = e
		}
	}
	return b, nil
}

// note takes the name of a file into account; other files are no business of
// ours.
func (b board) note(name string, helps map[string]int) {
	if key, ok := strings.CutSuffix(name, doneSuffix); ok {
		b.finished(key)
		return
	}
	if key, ok := strings.CutSuffix(name, someSuffix); ok {
		b.finished(key)
		e := b[key]
		e.some = true
		b[key] = e
		return
	}
	lease, help := strings.CutSuffix(name, helpSuffix)
	key, number, ok := strings.Cut(lease, ".")
	gen, err := strconv.Atoi(number)
	switch {
	case !ok || err != nil || gen < 0 || key == "":
	case help:
		helps[key] = max(helps[key], gen)
	default:
		b.taken(key, gen)
	}
}
