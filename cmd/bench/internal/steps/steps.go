// Package steps times the updates of train's own training, loader and all, on
// generated pictures.
package steps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"wsss/configs"
	"wsss/data"
	"wsss/data/scenes"
	"wsss/models/backend"
	_ "wsss/models/nets" // all networks
	"wsss/train"
)

// Pictures are those that a training draws from.
const Pictures = 16

// Scenes makes the pictures, a little larger than side, in dir/scenes, and opens
// them; folders that hold them are left alone.
func Scenes(dir string, side int) (data.Dataset, error) {
	c := scenes.DefaultConfig()
	c.Train, c.Val, c.MinSize, c.MaxSize = Pictures, 1, side, side+side/4
	root := filepath.Join(dir, "scenes")
	if err := scenes.Write(context.Background(), root, c, nil); err != nil {
		return nil, err
	}
	return scenes.Open(root)
}

// Names are the classes of a data set, and unnamed ones up to a number; 0 is
// their own.
func Names(ds data.Dataset, classes int) data.Classes {
	names := ds.Classes().Names
	for len(names) < classes {
		names = append(names, fmt.Sprint("class ", len(names)))
	}
	return data.Classes{Names: names}
}

// Training is one whose updates are timed.
type Training struct {
	dir   string
	ended chan error
}

// New begins the training of a [train] table; a call of step returns with the
// end of the next update.
func New(spec string, ds data.Dataset, classes data.Classes, t configs.Train) (_ *Training, step func() error, err error) {
	b, err := backend.Open(spec)
	if err != nil {
		return nil, nil, err
	}
	run := &Training{ended: make(chan error, 1)}
	if run.dir, err = os.MkdirTemp("", "wsss-bench-steps"); err != nil {
		return nil, nil, err
	}
	job := train.Job{Name: "bench", Dataset: ds, Split: "train", Config: t, Seed: 1, OutDir: filepath.Join(run.dir, "train"), Classes: classes, Backend: b}
	updates := make(chan train.Record)
	job.Updated = func(r train.Record) { updates <- r } // waits until the step before is timed
	start := sync.OnceFunc(func() {
		go func() {
			_, err := train.Run(context.Background(), job)
			close(updates)
			run.ended <- err
		}()
	})
	first := time.Now()
	return run, func() error {
		start()
		r, ok := <-updates
		if !first.IsZero() {
			fmt.Fprintf(os.Stderr, "%s: first update, compiling included, %.1f s\n", spec, time.Since(first).Seconds())
			first = time.Time{}
		}
		if !ok {
			err := errors.New("the training ended early")
			select {
			case why := <-run.ended:
				run.ended <- nil
				err = errors.Join(err, why)
			default:
			}
			return err
		}
		fmt.Fprintf(os.Stderr, "%s: loss %v\n", spec, r.Loss)
		return nil
	}, nil
}

// Done waits for the end of the training, which saves a checkpoint, and removes it.
func (t *Training) Done() error {
	return errors.Join(<-t.ended, os.RemoveAll(t.dir))
}
