package lock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"

	"wsss/checkpoints/files"
)

// objectLease is the lock of object storage. There a file can be made by one
// process alone, but not be taken away by one alone: between looking at a dead
// process's lease and removing it, another may have put up its own under that
// name. So leases have numbers, DIR/.leases/1, 2, …, and the highest counts. Who
// takes over makes the next, and then removes lower ones, never the highest: one
// that is given back says so and stays.
//
// Two never have it: who made a number looks once more. Had others gone on to
// higher numbers before, at least one of those is there to be seen, as each was
// made before the ones below it were removed.
type objectLease struct {
	renewal
	dir    string
	number int
	text   leaseText
}

func acquireObject(dir string, me Holder) (*Lock, error) {
	for range 20 {
		newest, err := newestObject(dir)
		if err != nil {
			return nil, err
		}
		l := &objectLease{dir: dir, number: newest + 1, text: leaseText{Holder: me, Token: rand.Uint64()}}
		raw, err := json.Marshal(l.text)
		if err != nil {
			return nil, err
		}
		err = files.CreateNew(l.path(l.number), raw)
		if errors.Is(err, fs.ErrExist) {
			continue // who made it says who it is, next time
		}
		if err != nil {
			return nil, err
		}
		numbers, err := objectNumbers(dir)
		if err != nil || numbers[len(numbers)-1] != l.number {
			if err := errors.Join(err, ignoreMissing(files.Remove(l.path(l.number)))); err != nil {
				return nil, err
			}
			continue
		}
		for _, lower := range numbers[:len(numbers)-1] {
			_ = files.Remove(l.path(lower)) // what is left does no harm
		}
		l.begin(l.still, func() { _ = l.write() })
		return &Lock{lease: l, path: l.path(l.number)}, nil
	}
	return nil, &HeldError{Dir: dir}
}

func objectPath(dir string, number int) string {
	return filepath.Join(dir, leasesName, strconv.Itoa(number))
}

func (l *objectLease) path(number int) string { return objectPath(l.dir, number) }

// objectNumbers lists the leases of a folder, the lowest first; 0, which is none, is among
// them.
func objectNumbers(dir string) ([]int, error) {
	entries, err := files.ReadDir(filepath.Join(dir, leasesName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	numbers := []int{0}
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// newestObject is the number of the newest lease of a folder, 0 for none; a
// HeldError where its owner lives, or may.
func newestObject(dir string) (int, error) {
	for range 20 {
		numbers, err := objectNumbers(dir)
		if err != nil {
			return 0, err
		}
		newest := numbers[len(numbers)-1]
		if newest == 0 {
			return 0, nil
		}
		path := objectPath(dir, newest)
		raw, err := files.ReadLimited(path, 1<<16)
		if errors.Is(err, fs.ErrNotExist) { // another took over meanwhile
			continue
		}
		if err != nil {
			return 0, err
		}
		var t leaseText
		if json.Unmarshal(raw, &t) == nil && t.Released {
			return newest, nil
		}
		age, err := leaseAge(filepath.Join(dir, leasesName), path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if age < expireAfter && (t.PID == 0 || alive(t.Holder)) {
			return 0, &HeldError{Dir: dir, Holder: t.Holder}
		}
		return newest, nil
	}
	return 0, &HeldError{Dir: dir}
}

func (l *objectLease) still() error {
	numbers, err := objectNumbers(l.dir)
	if err == nil && numbers[len(numbers)-1] > l.number {
		return fmt.Errorf("%s: %w", files.Address(l.dir), ErrLost)
	}
	return err
}

func (l *objectLease) write() error {
	raw, err := json.Marshal(l.text)
	if err != nil {
		return err
	}
	return files.WriteAtomic(l.path(l.number), func(w io.Writer) error { _, err := w.Write(raw); return err })
}

func (l *objectLease) release() {
	l.end()
	if l.still() != nil {
		return
	}
	l.text.Released = true
	_ = l.write() // unwritten, its age tells
}
