package files

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// lockSuffix is of the file beside a temporary folder that tells whether its
// maker lives.
const lockSuffix = ".lock"

// TempDir makes a folder beside path, to be renamed to path when it is whole,
// and removes those that killed processes left of earlier attempts. done
// removes what is left of the folder; call it in any case.
func TempDir(path string) (dir string, done func(), err error) {
	if IsRemote(path) {
		return "", nil, fmt.Errorf("%s: object storage renames no folder, so that a whole one cannot appear at once: write to a folder, and copy that", Address(path))
	}
	parent, prefix := besidePath(path)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", nil, err
	}
	SweepTempDirs(path)
	f, err := CreateTemp(parent, prefix+"*"+lockSuffix)
	if err != nil {
		return "", nil, err
	}
	dir = strings.TrimSuffix(f.Name(), lockSuffix)
	done = func() {
		os.RemoveAll(dir)
		os.Remove(f.Name())
		f.Close()
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		done()
		return "", nil, err
	}
	return dir, done, nil
}

func besidePath(path string) (parent, prefix string) {
	return filepath.Dir(filepath.Clean(path)), TempPrefix + filepath.Base(path) + "-"
}

// SweepTempDirs removes what killed processes left beside path of the folders
// that TempDir made: the folders, and locks of folders that are gone.
func SweepTempDirs(path string) {
	if IsRemote(path) {
		return
	}
	parent, prefix := besidePath(path)
	entries, _ := os.ReadDir(parent)
	for _, e := range entries {
		suffix := oldSuffix
		if !e.IsDir() {
			suffix = lockSuffix
		}
		number, ours := strings.CutPrefix(strings.TrimSuffix(e.Name(), suffix), prefix)
		if (e.IsDir() || e.Type().IsRegular()) && ours && number != "" && strings.Trim(number, "0123456789") == "" {
			sweepDir(filepath.Join(parent, prefix+number), e)
		}
	}
}

// oldSuffix is of a folder that a temporary one is about to replace.
const oldSuffix = ".old"

// sweepDir removes a temporary folder, found as d or by its lock d, whose maker is dead: its lock
// is free, or gone and the folder old.
func sweepDir(dir string, d fs.DirEntry) {
	lock := dir + lockSuffix
	f, err := OpenOwn(lock, os.O_RDWR)
	if err == nil {
		defer f.Close()
		var held bool
		if held, err = TryLock(f); held {
			return
		}
	}
	if info, statErr := d.Info(); err != nil && (statErr != nil || time.Since(info.ModTime()) < staleAge) {
		return
	}
	if os.RemoveAll(dir) == nil && os.RemoveAll(dir+oldSuffix) == nil {
		os.Remove(lock)
	}
}
