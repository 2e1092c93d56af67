package gen

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// staleAge is the age after which a temporary file belongs to nobody, where
// claims cannot tell.
const staleAge = time.Hour

// leftovers are the temporary files of an output folder when a run began, by
// the path they were meant for.
type leftovers map[string][]string

// findLeftovers removes temporary files that are old enough to belong to
// nobody and lists the others.
func findLeftovers(dir string) (leftovers, error) {
	found := leftovers{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreMissing(err)
		}
		name, ok := strings.CutPrefix(d.Name(), ".tmp-")
		if !ok {
			return nil
		}
		_, target, ok := strings.Cut(name, "-")
		if !ok {
			return nil
		}
		if info, err := d.Info(); err != nil {
			return ignoreMissing(err)
		} else if time.Since(info.ModTime()) > staleAge {
			return ignoreMissing(os.Remove(path))
		}
		target = filepath.Join(filepath.Dir(path), target)
		found[target] = append(found[target], path)
		return nil
	})
	return found, err
}

// remove deletes what was left of the file at path. Call it only while the
// image is claimed: a writer that still lives would hold that claim.
func (l leftovers) remove(path string) error {
	for _, tmp := range l[path] {
		if err := ignoreMissing(os.Remove(tmp)); err != nil {
			return err
		}
	}
	return nil
}

func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
