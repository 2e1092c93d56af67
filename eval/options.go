package eval

import (
	"fmt"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/metrics"
)

// Options of an evaluation. The zero value is the default protocol with
// bootstrap intervals.
type Options struct {
	Name     string // of the result; default the folder's name or "prediction"
	Kind     Kind
	Protocol metrics.Protocol
	IDs      []string // only these images of the split; nil = all

	AllowMissing    bool // count an absent prediction as background
	AllowOutOfRange bool // count values outside the classes as void instead of refusing them
	Binary          bool // label maps of only 0 and 255 are those of class 1
	AllowNoTruth    bool // images without a mask are predicted but not scored

	Boundary bool         // also boundary and trimap IoU, some milliseconds per image
	Boot     metrics.Boot // bootstrap interval; Resamples < 0 leaves it out
	Workers  int          // goroutines; 0 = one per CPU

	// RunHash identifies what Predict computes (config and weights). A later
	// run with the same hash takes up the predictions it finds.
	RunHash string

	Hashes *files.Hashes     // remembers hashes of photos between calls; may be nil
	Log    func(line string) // notes for a person; may be nil

	// Partial, where it is not nil, gets what Merge needs of this part of a split;
	// IDs are its images. Index and Count, which part it is, are the caller's.
	Partial *Partial

	Provenance Provenance
	Settings   map[string]string // how the label maps come about, for the report
}

// Progress is called with finished and total images, never concurrently. A nil
// Progress is allowed.
type Progress func(done, total int)

func (o Options) withDefaults() Options {
	o.Protocol = o.Protocol.WithDefaults()
	o.Boot.Absent = o.Protocol.Absent
	o.Workers = data.Workers(o.Workers)
	return o
}

func (o Options) ids(ds data.Dataset, split string) ([]string, error) {
	if o.IDs != nil {
		return o.IDs, nil
	}
	ids, err := ds.IDs(split)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("split %q of %s has no images", split, ds.Name())
	}
	return ids, nil
}
