package files

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// TempPrefix begins the names of files that are not yet whole.
const TempPrefix = ".tmp-"

// staleAge is the age after which a temporary file belongs to nobody, where
// locks cannot tell.
const staleAge = time.Hour

// CreateTemp makes a new file in dir as os.CreateTemp does, with a pattern
// that begins with TempPrefix, and holds its lock while it is open, so that
// Sweep leaves it alone.
func CreateTemp(dir, pattern string) (*os.File, error) {
	for {
		f, err := os.CreateTemp(dir, pattern)
		if err != nil {
			return nil, err
		}
		held, _ := TryLock(f)
		if info, err := os.Stat(f.Name()); !held && err == nil {
			if mine, err := f.Stat(); err == nil && os.SameFile(info, mine) {
				return f, nil
			}
		}
		f.Close() // a Sweep came between making it and locking it
		os.Remove(f.Name())
	}
}

// Sweep removes the temporary files in a folder, not below it, that writers
// left behind when they were killed. A file that a living process writes is
// locked and stays; where the file system has no locks, what is younger than
// an hour stays too. What cannot be removed stays: nothing reads it.
func Sweep(dir string) {
	if IsRemote(dir) {
		return
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		sweep(filepath.Join(dir, e.Name()), e)
	}
}

// SweepAll is Sweep of a folder and all folders below it.
func SweepAll(root string) {
	if IsRemote(root) { // a store shows no file before it is whole
		return
	}
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			sweep(path, d)
		}
		return nil
	})
}

// sweep removes a temporary file unless its writer may live. The lock is held
// while it is removed: its writer, if just beginning, makes another.
func sweep(path string, d fs.DirEntry) {
	if !d.Type().IsRegular() || !strings.HasPrefix(d.Name(), TempPrefix) {
		return
	}
	f, err := OpenOwn(path, os.O_RDWR)
	if err != nil {
		return
	}
	defer f.Close()
	held, err := TryLock(f)
	if info, statErr := f.Stat(); held || statErr != nil || err != nil && time.Since(info.ModTime()) < staleAge {
		return
	}
	_ = os.Remove(path)
}
