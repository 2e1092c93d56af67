package gen

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/data/words"
)

// Origin says what one label was made from, beside the method, its options and
// its weights: hashes, so that a copy of the data is the same data.
type Origin struct {
	Photo   string `json:"photo"`            // SHA-256 of the image file
	Labels  string `json:"labels,omitempty"` // of the image's weak labels; "" for a method that takes none
	Classes string `json:"classes"`          // of the class table
	Files   string `json:"files,omitempty"`  // of what the method reads for the image (see Reader)
	// Corrected is the version of what a person corrected; "" for nothing.
	Corrected string `json:"corrected,omitempty"`
}

// originOf describes the data behind an image's label as it is now. classes is
// the hash of the class table.
func originOf(ds data.Dataset, id string, weak data.WeakKind, classes string, method Method, hashes *files.Hashes) (Origin, error) {
	o := Origin{Classes: classes}
	var err error
	if o.Photo, err = PhotoHash(ds, id, hashes.SHA256); err != nil {
		return o, err
	}
	if weak != data.WeakNone {
		s, err := ds.Load(id, data.WantWeak)
		if err != nil {
			return o, err
		}
		o.Labels = hashOf(s.Weak)
	}
	if o.Corrected, err = corrections.VersionOf(ds, id); err != nil {
		return o, err
	}
	o.Files, err = filesHash(method, id, hashes)
	return o, err
}

// PhotoHash is the SHA-256 of an image's file, by the function that hashes files;
// "" for an image without a file, as a data set that is not on disk may have.
func PhotoHash(ds data.Dataset, id string, hash func(path string) (string, error)) (string, error) {
	path := ds.ImagePath(id)
	if path == "" {
		return "", nil
	}
	sum, err := hash(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return sum, err
}

// filesHash is one hash of all that a method reads for an image, "" for
// nothing.
func filesHash(method Method, id string, hashes *files.Hashes) (string, error) {
	paths, err := InputFiles(method, id)
	if err != nil || len(paths) == 0 {
		return "", err
	}
	var sums []string
	for _, path := range paths {
		sum, err := hashes.Tree(path)
		if err != nil {
			return "", err
		}
		sums = append(sums, sum)
	}
	return hashOf(sums), nil
}

func hashOf(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain structs and strings
	}
	return files.SHA256Of(raw)[:16]
}

// state is what a run finds of an image's label, and so what it does with it.
type state int

const (
	isDone       state = iota
	isOld              // done by an earlier version, which did not note the label's Origin
	isNew              // there is none
	isDamaged          // not the file that the sidecar describes
	isResettled        // of another configuration
	isReweighed        // of other weights
	isRenamed          // of another class table
	isCorrected        // before a person corrected it, or otherwise
	isRelabelled       // from other weak labels
	isReplaced         // of another photo
	isReread           // from other files of another tool or run
)

// Changes counts the images whose labels are not of the data, configuration
// and weights as they are, by the first reason that holds for each.
type Changes struct {
	New       int // not labelled before
	Damaged   int // the label file is not what its sidecar says
	Settings  int // labelled by another configuration
	Weights   int // … by other weights
	Classes   int // … for another class table
	Corrected int // … before a person corrected them
	Labels    int // … from other weak labels
	Photos    int // … when the photo was another one
	Files     int // … from other files of another run or tool
	Gone      int // labelled, but the image is no longer in the dataset
	Old       int // labelled by a version that noted no Origin: taken for unchanged
}

func (c *Changes) count(s state) {
	switch s {
	case isOld:
		c.Old++
	case isNew:
		c.New++
	case isDamaged:
		c.Damaged++
	case isResettled:
		c.Settings++
	case isReweighed:
		c.Weights++
	case isRenamed:
		c.Classes++
	case isCorrected:
		c.Corrected++
	case isRelabelled:
		c.Labels++
	case isReplaced:
		c.Photos++
	case isReread:
		c.Files++
	}
}

// Stale is how many labels there are that have to be made again.
func (c Changes) Stale() int {
	return c.Damaged + c.Settings + c.Weights + c.Classes + c.Corrected + c.Labels + c.Photos + c.Files
}

// Data is how many of them differ in what people edit: photos, weak labels, the
// class table, files of other tools.
func (c Changes) Data() int { return c.Classes + c.Corrected + c.Labels + c.Photos + c.Files }

// Why lists the reasons with their numbers: "2 labels edited, 1 photo
// replaced". New and old labels are no reason.
func (c Changes) Why() string {
	var parts []string
	parts = words.AppendCount(parts, c.Corrected, "corrected in review", "corrected in review")
	parts = words.AppendCount(parts, c.Labels, "label edited", "labels edited")
	parts = words.AppendCount(parts, c.Photos, "photo replaced", "photos replaced")
	parts = words.AppendCount(parts, c.Files, "image with changed input files", "images with changed input files")
	parts = words.AppendCount(parts, c.Classes, "of another class table", "of another class table")
	parts = words.AppendCount(parts, c.Settings, "of other settings", "of other settings")
	parts = words.AppendCount(parts, c.Weights, "of other weights", "of other weights")
	parts = words.AppendCount(parts, c.Damaged, "label map changed or damaged", "label maps changed or damaged")
	return strings.Join(parts, ", ")
}

// made is the part of a sidecar that tells whether its label is up to date.
type made struct {
	ConfigHash string            `json:"config_hash"`
	Inputs     map[string]string `json:"inputs"`
	Weights    map[string]string `json:"weights"`
	SHA256     string            `json:"label_sha256"`
	Origin     *Origin           `json:"origin"`
}

// compare tells how a label was made otherwise than a run would make it now.
func (r *runner) compare(m made, now Origin) state {
	switch {
	case m.ConfigHash != r.ConfigHash:
		return isResettled
	case r.Method != nil && !maps.Equal(m.Weights, r.source.Weights):
		return isReweighed
	case m.Origin == nil && r.Method != nil && !maps.Equal(m.Inputs, r.inputs):
		return isReread
	case m.Origin == nil:
		return isOld
	case m.Origin.Classes != now.Classes:
		return isRenamed
	case m.Origin.Photo != now.Photo:
		return isReplaced
	case m.Origin.Corrected != now.Corrected:
		return isCorrected
	case m.Origin.Labels != now.Labels:
		return isRelabelled
	case r.Method != nil && m.Origin.Files != now.Files:
		return isReread
	}
	return isDone
}

// Check counts what Run would make again, and why, without making it. Where
// o.Method is nil, weights and other tools' files are not looked at.
func Check(ctx context.Context, o RunOptions) (Changes, error) {
	r, ids, err := o.runner()
	if err != nil {
		return Changes{}, err
	}
	var c Changes
	states := make([]state, len(ids))
	err = data.Parallel(ctx, len(ids), nil, func(i int) error {
		states[i] = r.state(ids[i])
		return nil
	})
	for _, s := range states {
		c.count(s)
	}
	return c, err
}
