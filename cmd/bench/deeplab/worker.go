package deeplab

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
	_ "wsss/models/nets"
	"wsss/train"
)

// classes are as many as VOC's.
const classes = 21

// pictures that the training draws from.
const pictures = 16

// step begins train's own training, loader and all, on generated pictures. A
// call returns with the end of the next update.
func (o *options) step(spec string) (func() error, error) {
	b, err := backend.Open(spec)
	if err != nil {
		return nil, err
	}
	job, err := o.job()
	if err != nil {
		return nil, err
	}
	job.Backend = b
	updates := make(chan train.Record)
	job.Updated = func(r train.Record) { updates <- r } // waits until the step before is timed
	o.ended = make(chan error, 1)
	o.dir = filepath.Dir(job.OutDir)
	start := sync.OnceFunc(func() {
		go func() {
			_, err := train.Run(context.Background(), job)
			close(updates)
			o.ended <- err
		}()
	})
	first := time.Now()
	return func() error {
		start()
		r, ok := <-updates
		if !first.IsZero() {
			fmt.Fprintf(os.Stderr, "%s: first update, compiling included, %.1f s\n", spec, time.Since(first).Seconds())
			first = time.Time{}
		}
		if !ok {
			return errors.New("the training ended early")
		}
		fmt.Fprintf(os.Stderr, "%s: loss %v\n", spec, r.Loss)
		return nil
	}, nil
}

// done waits for the end of the training, which saves a checkpoint.
func (o *options) done() error {
	return errors.Join(<-o.ended, os.RemoveAll(o.dir))
}

// job is the training: batch norm frozen, SGD with momentum and weight decay as
// in docs/sources.md §8.1, at a rate that keeps the random network where it is.
func (o *options) job() (train.Job, error) {
	cfg := configs.Default().Train
	cfg.Arch, cfg.MSC, cfg.Width, cfg.Precision, cfg.Recompute = o.arch, o.msc, o.width, o.precision, o.recompute
	cfg.Batch, cfg.Accumulate, cfg.Crop, cfg.LR, cfg.Init = o.Batch, 1, o.size, 1e-12, ""
	cfg.Devices = o.devices
	cfg.Iterations = o.Steps.Steps + 1 // one warms up
	if o.arch != "deeplab-v2" {
		cfg.OutputStride, cfg.StrideIn, cfg.Input = 16, "3x3", "torch"
	}
	dir, err := os.MkdirTemp("", "wsss-bench-deeplab")
	if err != nil {
		return train.Job{}, err
	}
	sc := scenes.DefaultConfig()
	sc.Train, sc.Val, sc.MinSize, sc.MaxSize = pictures, 1, o.size, o.size+o.size/4
	root := filepath.Join(dir, "scenes")
	if err := scenes.Write(context.Background(), root, sc, nil); err != nil {
		return train.Job{}, err
	}
	ds, err := scenes.Open(root)
	if err != nil {
		return train.Job{}, err
	}
	names := ds.Classes().Names
	for len(names) < classes {
		names = append(names, fmt.Sprint("class ", len(names)))
	}
	return train.Job{Name: "bench", Dataset: ds, Split: "train", Config: cfg, Seed: 1, OutDir: filepath.Join(dir, "train"), Classes: data.Classes{Names: names}}, nil
}
