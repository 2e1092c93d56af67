package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// compare counts labels that are lost, differ or were made more than once.
func (c *campaign) compare() error {
	lost, differ, n := 0, 0, 0
	one, have := filepath.Join(c.root, "labels", "one", "gen"), filepath.Join(c.root, "labels", "run", "gen")
	err := filepath.WalkDir(one, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(one, path)
		if err != nil || d.IsDir() || strings.HasPrefix(rel, ".") || rel == "run.json" || rel == "speed.json" { // those name the folder and the time
			return err
		}
		want, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		got, err := os.ReadFile(filepath.Join(have, rel))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			lost++
		case err != nil:
			return err
		case !bytes.Equal(got, want):
			differ++
		}
		return nil
	})
	if err == nil {
		err = c.access.read()
	}
	if err != nil {
		return err
	}
	written, distinct := c.access.made["run"], len(c.access.seen["run"])
	if written == 0 {
		return fmt.Errorf("%s names no label that was written: is the server's log of another form?", c.access.path)
	}
	fmt.Printf("files: %d, lost %d, differing %d\nlabels written: %d of %d images, %.2f %% more than once\n", n, lost, differ, written, distinct, 100*float64(written-distinct)/float64(distinct))
	if n == 0 || lost+differ > 0 {
		return errors.New("the labels of the job are not those of one process")
	}
	return nil
}
