package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/words"
)

// RunFile is the file in a folder of predictions that tells which run they are
// of, and of which photos.
const RunFile = "predictions.json"

// runFile is RunFile. Those of earlier versions hold neither classes nor
// photos.
type runFile struct {
	Hash    string            `json:"hash"`
	Name    string            `json:"name"`
	Classes []string          `json:"classes,omitempty"`
	Photos  map[string]string `json:"photos,omitempty"` // image id → SHA-256 of its file, of every split labelled here
}

// staleness counts why predictions are not taken up.
type staleness struct{ run, classes, photos, gone, old int }

// say tells a person, where anything but the run itself has changed.
func (s staleness) say(o Options, images int) {
	if o.Log == nil {
		return
	}
	var parts []string
	if n := s.classes + s.photos; n > 0 {
		parts = words.AppendCount(parts, s.photos, "photo replaced", "photos replaced")
		parts = words.AppendCount(parts, s.classes, "of another class table", "of another class table")
		parts = []string{fmt.Sprintf("%s: %d of %d labelled again: %s", o.Name, n, images, strings.Join(parts, ", "))}
	}
	parts = words.AppendCount(parts, s.gone, "image is gone", "images are gone")
	if len(parts) > 0 {
		o.Log(strings.Join(parts, "; "))
	}
	if s.old > 0 {
		o.Log(fmt.Sprintf("note: %s: predictions of an earlier version, which did not note its photos: taken for up to date; changes from now on are noticed", o.Name))
	}
}

// prepare decides which predictions in dir are taken up, and removes the stale
// ones before the folder gets the new hash, so that a crash in between never
// passes an old prediction off as new.
func prepare(ctx context.Context, ds data.Dataset, dir string, ids []string, opts Options) (ready []bool, err error) {
	name := opts.Partial.runFile()
	have, known, err := readRunFile(dir, name)
	if err == nil && !known && name != RunFile {
		have, known, err = readRunFile(dir, RunFile)
	}
	if err != nil {
		return nil, err
	}
	now := runFile{opts.RunHash, opts.Name, ds.Classes().Names, maps.Clone(have.Photos)}
	if now.Hash == "" {
		now.Hash = "none" // never matches: an unnamed run is not taken up
	}
	if now.Photos == nil {
		now.Photos = map[string]string{}
	}
	photos, err := photoHashes(ctx, ds, ids, opts.Hashes)
	if err != nil {
		return nil, err
	}
	var stale staleness
	ready = make([]bool, len(ids))
	for i, id := range ids {
		before, noted := have.Photos[id]
		now.Photos[id] = photos[i]
		png, err := files.Join(dir, id+".png")
		if err != nil {
			return nil, err
		}
		if _, err := files.Stat(png); err != nil {
			continue
		}
		switch {
		case !known:
			return nil, fmt.Errorf("%s holds label maps (%s.png) but no %s: choose an empty folder for predictions", dir, id, RunFile)
		case opts.RunHash == "" || have.Hash != opts.RunHash:
			stale.run++
		case have.Classes != nil && !slices.Equal(have.Classes, now.Classes):
			stale.classes++
		case noted && before != photos[i]:
			stale.photos++
		default:
			ready[i] = true
			if !noted {
				stale.old++
			}
			continue
		}
		if err := files.Remove(png); err != nil {
			return nil, err
		}
	}
	if stale.gone, err = forget(ds, dir, ids, now.Photos); err != nil {
		return nil, err
	}
	stale.say(opts, len(ids))
	if known && name == RunFile && now.Hash == have.Hash && now.Name == have.Name && slices.Equal(now.Classes, have.Classes) && maps.Equal(now.Photos, have.Photos) {
		return ready, nil
	}
	return ready, files.WriteJSON(filepath.Join(dir, name), now)
}

func readRunFile(dir, name string) (have runFile, known bool, err error) {
	raw, err := files.ReadLimited(filepath.Join(dir, name), files.MaxRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return have, false, nil
	}
	if err != nil {
		return have, false, err
	}
	if json.Unmarshal(raw, &have) != nil || have.Hash == "" {
		return runFile{}, false, nil
	}
	return have, true, nil
}

// photoHashes are the SHA-256 of the photos' files, "" for images that have
// none, of which loading them tells.
func photoHashes(ctx context.Context, ds data.Dataset, ids []string, hashes *files.Hashes) ([]string, error) {
	sums := make([]string, len(ids))
	err := data.Parallel(ctx, len(ids), nil, func(i int) error {
		path := ds.ImagePath(ids[i])
		if path == "" {
			return nil
		}
		var err error
		if sums[i], err = hashes.SHA256(path); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return sums, err
}

// forget removes the predictions of photos that are gone, and takes them out of
// the list; it returns how many there were. Images of other splits keep theirs.
func forget(ds data.Dataset, dir string, ids []string, photos map[string]string) (int, error) {
	here := make(map[string]bool, len(ids))
	for _, id := range ids {
		here[id] = true
	}
	n := 0
	for _, id := range slices.Sorted(maps.Keys(photos)) {
		if here[id] || photos[id] == "" {
			continue
		}
		if _, err := files.Stat(ds.ImagePath(id)); ds.ImagePath(id) != "" && !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		png, err := files.Join(dir, id+".png")
		if err != nil {
			return n, err
		}
		if err := files.Remove(png); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return n, err
		}
		delete(photos, id)
		n++
	}
	return n, nil
}
