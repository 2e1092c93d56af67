package gen

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"wsss/checkpoints/files"
)

// retire removes the labels of images that are gone: in no split of the
// dataset, and without an image file. Images that are merely in another split
// keep theirs. Only what a run wrote and nobody has changed since is removed: a
// PNG that its sidecar vouches for, and the sidecar.
func (r *runner) retire(ctx context.Context) error {
	stale, err := r.strangers()
	if err != nil {
		return err
	}
	for _, id := range stale {
		png, sidecar := r.paths(id)
		if path := r.Dataset.ImagePath(id); path != "" {
			if _, err := files.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				continue
			}
		}
		if !ours(png, sidecar) {
			continue
		}
		if !r.claims.wait(ctx, id) {
			return ctx.Err()
		}
		err := errors.Join(ignoreMissing(files.Remove(sidecar)), ignoreMissing(files.Remove(png)))
		r.claims.release(id)
		if err != nil {
			return err
		}
		r.summary.Changes.Gone++
	}
	return nil
}

// strangers lists the sidecars of the folder by the ids that they are of, those
// of the dataset's images left out.
func (r *runner) strangers() ([]string, error) {
	known := map[string]bool{}
	for _, id := range r.all {
		known[id] = true
	}
	var found []string
	err := files.WalkDir(r.OutDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return ignoreMissing(err)
		}
		rel, err := filepath.Rel(r.OutDir, path)
		if err != nil {
			return err
		}
		id, ok := strings.CutSuffix(filepath.ToSlash(rel), ".json")
		if ok && rel != ManifestName && !known[id] {
			found = append(found, id)
		}
		return nil
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	for _, split := range r.Dataset.Splits() {
		ids, err := r.Dataset.IDs(split)
		if err != nil {
			continue // a split that cannot be read: its images are known by their files
		}
		for _, id := range ids {
			known[id] = true
		}
	}
	gone := found[:0]
	for _, id := range found {
		if !known[id] {
			gone = append(gone, id)
		}
	}
	return gone, nil
}

// ours tells whether a sidecar of a run vouches for a label PNG.
func ours(png, sidecar string) bool {
	raw, err := readBounded(sidecar)
	if err != nil {
		return false
	}
	var m made
	if json.Unmarshal(raw, &m) != nil || m.ConfigHash == "" || m.SHA256 == "" {
		return false
	}
	raw, err = readBounded(png)
	return err == nil && files.SHA256Of(raw) == m.SHA256
}
