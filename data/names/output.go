package names

import (
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
)

// Marks are empty files in folders that wsss fills, so that pictures which it made of
// photos are not taken for more photos where such a folder lies among them.
const (
	runMark    = ".wsss-run"    // a run, or photos with labels for a labelling tool
	outputMark = ".wsss-output" // labels of photos
)

// MarkRun makes and marks the folder of a run, in which nothing is looked for.
func MarkRun(dir string) error { return mark(dir, runMark) }

// MarkOutput makes and marks a folder of labels, in which no photos are looked for.
func MarkOutput(dir string) error { return mark(dir, outputMark) }

// mark leaves alone what is in use: a folder that holds anything but hidden files, such
// as the lock of a run that begins, may be of photos.
func mark(dir, name string) error {
	if files.IsRemote(dir) {
		return nil
	}
	if there, err := files.ReadDir(dir); err == nil && slices.ContainsFunc(there, visible) {
		return nil
	}
	path := filepath.Join(dir, name)
	return files.WriteAtomic(path, func(io.Writer) error { return nil })
}

func visible(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), ".") }

// IsRun tells whether a folder is that of a run. Runs of earlier versions have no mark
// but hashes of their data. In object storage nothing is marked.
func IsRun(dir string) bool {
	return !files.IsRemote(dir) && (files.Exists(filepath.Join(dir, runMark)) || files.Exists(filepath.Join(dir, files.HashesName)))
}

// IsOutput tells whether the pictures of a folder are wsss's own.
func IsOutput(dir string) bool {
	return IsRun(dir) || !files.IsRemote(dir) && files.Exists(filepath.Join(dir, outputMark))
}
