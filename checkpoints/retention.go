package checkpoints

import (
	"errors"
	"io/fs"
	"slices"

	"wsss/checkpoints/files"
)

// Prune applies the retention rule: it keeps the newest checkpoint, the pinned
// steps, and the keep newest others. regular tells which steps count as
// others; the rest (written on an interrupt) go as soon as they are no longer
// the newest, so that an interrupted run leaves the same files as an
// undisturbed one. Temporary files of a killed writer go too; those of a living
// one stay (files.Sweep).
func Prune(dir string, keep int, regular func(step int) bool, pinned ...int) error {
	entries, err := List(dir)
	if err != nil || len(entries) == 0 {
		return err
	}
	var remove []string
	for i, e := range slices.Backward(entries) {
		switch {
		case i == len(entries)-1 || slices.Contains(pinned, e.Step):
		case regular(e.Step) && keep > 0:
			keep--
		default:
			remove = append(remove, e.Path)
		}
	}
	files.Sweep(dir)
	for _, path := range remove {
		if err := files.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
