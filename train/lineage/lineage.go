// Package lineage notes which data a network was trained on, image by image,
// so that a later call can tell what has changed since, and how much of it.
package lineage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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

// File is the record's name in a training's folder.
const File = "data.json"

// Image is what was learnt of one image: hashes, "" where there is none.
type Image struct {
	Photo  string `json:"photo"`            // SHA-256 of the image file
	Label  string `json:"label"`            // of its label map, true mask or image labels
	Scores string `json:"scores,omitempty"` // of the scores that weigh the label
}

// Record is the data of one training by image id.
type Record map[string]Image

// record is File.
type record struct {
	About  string `json:"about"`
	Images Record `json:"images"`
}

// Of looks at every image on all CPUs; label gives the hash of what is learnt
// of it, scores (or nil) that of what weighs it.
func Of(ctx context.Context, ds data.Dataset, ids []string, hashes *files.Hashes, label, scores func(id string) (string, error)) (Record, error) {
	images := make([]Image, len(ids))
	err := data.Parallel(ctx, len(ids), nil, func(i int) error {
		im, id := &images[i], ids[i]
		var err error
		if path := ds.ImagePath(id); path != "" {
			if im.Photo, err = hashes.SHA256(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err // a photo that is missing is for the loader to tell of
			}
		}
		if im.Label, err = label(id); err != nil || scores == nil {
			return err
		}
		im.Scores, err = scores(id)
		return err
	})
	if err != nil {
		return nil, err
	}
	r := make(Record, len(ids))
	for i, id := range ids {
		r[id] = images[i]
	}
	return r, nil
}

// Truth is the hash of an image's true mask: of its file, where the dataset
// tells which that is, else of its pixels; "" where there is none.
func Truth(ds data.Dataset, id string, hashes *files.Hashes) (string, error) {
	if m, ok := ds.(interface{ MaskPath(id string) string }); ok {
		if path := m.MaskPath(id); path != "" {
			sum, err := hashes.SHA256(path)
			if err == nil || !errors.Is(err, fs.ErrNotExist) {
				return sum, err
			}
		}
	}
	s, err := ds.Load(id, data.WantTruth)
	if errors.Is(err, data.ErrNoTruth) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, s.Truth.W, s.Truth.H)
	sum.Write(s.Truth.Pix)
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Hash identifies a record.
func (r Record) Hash() string {
	sum := sha256.New()
	for _, id := range slices.Sorted(maps.Keys(r)) {
		im := r[id]
		fmt.Fprintf(sum, "%q %s %s %s\n", id, im.Photo, im.Label, im.Scores)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// Read reads the record of a training's folder; nil where it has none, as those
// of earlier versions.
func Read(dir string) Record {
	raw, err := files.ReadLimited(filepath.Join(dir, File), files.MaxRecord)
	var r record
	if err != nil || json.Unmarshal(raw, &r) != nil {
		return nil
	}
	return r.Images
}

// Write writes the record into a training's folder.
func (r Record) Write(dir string) error {
	return files.WriteJSON(filepath.Join(dir, File), record{About: "What the network was trained on: hashes of photos and labels. When they change, it is trained again.", Images: r})
}

// Changes says how a newer record differs: "2 of 40 labels changed, 1 photo
// replaced, 1 new image, 1 image is gone"; "" where it does not.
func (r Record) Changes(now Record) string {
	var labels, photos, added, gone int
	for id, im := range now {
		was, ok := r[id]
		switch {
		case !ok:
			added++
		case was.Photo != im.Photo:
			photos++
		case was != im:
			labels++
		}
	}
	for id := range r {
		if _, ok := now[id]; !ok {
			gone++
		}
	}
	var parts []string
	if labels > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d labels changed", labels, len(now)))
	}
	parts = words.AppendCount(parts, photos, "photo replaced", "photos replaced")
	parts = words.AppendCount(parts, added, "new image", "new images")
	parts = words.AppendCount(parts, gone, "image is gone", "images are gone")
	return strings.Join(parts, ", ")
}
