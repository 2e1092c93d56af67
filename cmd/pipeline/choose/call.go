package choose

import (
	"context"
	"io"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/data/words"
	"wsss/models/nearest"
)

// Call is one proposal of photos to label.
type Call struct {
	N       int      // photos; 0 = near-duplicates alone
	Same    float64  // cosine of two photos' features from which they are near-duplicates
	Network string   // of the features: a model, or a file
	With    []string // key=value of its table
	Cache   string   // folder that keeps features; "" = none
	Taken   string   // file of ids of photos that are labelled already; "" = none
	Out     string   // file for the ids; "" = with the text
	Engine  string   // "" = the fastest
}

// Check refuses numbers out of range.
func (c Call) Check() error {
	switch {
	case c.N < 0:
		return pipeline.Usagef("data choose: -n %d: allowed are 0 and more", c.N)
	case !(c.Same > 0 && c.Same <= 1):
		return pipeline.Usagef("data choose: -same %v: allowed are numbers above 0, up to 1", c.Same)
	}
	return nil
}

// Run chooses among photos and prints what it found; show runs what takes long, and
// tells how far it is.
func (c Call) Run(ctx context.Context, photos Photos, w io.Writer, show func(work func(progress func(done, total int)) error) error) error {
	var taken []int
	var err error
	if c.Taken != "" {
		if taken, err = photos.listed(c.Taken); err != nil {
			return err
		}
	}
	table, err := Network(c.Network, c.With, c.Cache)
	if err != nil {
		return pipeline.UsageError{Err: err}
	}
	var index *nearest.Index
	err = show(func(progress func(done, total int)) (err error) {
		index, err = photos.Encode(ctx, c.Engine, table, progress)
		return err
	})
	if err != nil {
		return err
	}
	batch, err := photos.Choose(ctx, index, c.N, c.Same, taken)
	if err != nil {
		return err
	}
	batch.WriteText(w, len(photos.IDs), c.N, c.Same)
	if c.Out == "" {
		return batch.writeIDs(w)
	}
	if err := files.WriteAtomic(c.Out, batch.writeIDs); err != nil {
		return err
	}
	_, err = io.WriteString(w, words.Plural(len(batch.IDs), "photo")+" in "+c.Out+"\n")
	return err
}
