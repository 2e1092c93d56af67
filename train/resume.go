package train

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/augment"
	"wsss/models/backend"
	"wsss/models/manifest"
	"wsss/train/batches"
	"wsss/train/parallel"
	"wsss/train/runlog"
)

// open loads the newest checkpoint, or makes a fresh network.
func (r *run) open() error {
	init, err := initHash(r.Config.Init)
	if err != nil {
		return err
	}
	c, err := checkpoints.Latest(r.OutDir, r.Warn)
	if err == nil {
		defer c.Close()
		same := c.Meta.ConfigHash == r.ConfigHash && c.Meta.Seed == r.Seed && r.sameFolder(c.Meta) &&
			(init == "" || c.Meta.InitHash == "" || c.Meta.InitHash == init)
		changed := r.changed(c.Meta)
		switch {
		case same && changed == "":
			return r.goOn(c)
		case same:
			r.Warn(fmt.Sprintf("trained again: %s since %s was trained", changed, r.OutDir))
		case !r.Restart:
			return fmt.Errorf("%s %w (config %s, labels %s; now %s, %s): remove the folder, or choose another out",
				r.OutDir, ErrOtherRun, c.Meta.ConfigHash, or(c.Meta.LabelsHash, trueMasks), r.ConfigHash, or(r.LabelsHash, trueMasks))
		}
		if err := removeAll(r.OutDir); err != nil {
			return err
		}
	} else if !errors.Is(err, checkpoints.ErrNone) {
		return err
	}
	r.meta = checkpoints.Meta{
		Seed: r.Seed, Images: len(r.ids), Log: LogFile,
		Model:   checkpoints.Model{Train: portable(r.Config), Classes: r.Classes.Names},
		Dataset: r.Dataset.Name(), Split: r.Split,
		ConfigHash: r.ConfigHash, LabelsHash: r.LabelsHash, DataHash: r.data.Hash(), InitHash: init,
		Backend: r.Backend.Name(), Versions: checkpoints.Versions(),
	}
	maps.Copy(r.meta.Versions, r.Versions)
	return nil
}

// initHash is the SHA-256 of the weights that a training begins with: "" for
// random ones, and for a file that is gone, which a training that goes on from
// a checkpoint does not need.
func initHash(init string) (string, error) {
	if init == "" {
		return "", nil
	}
	path, err := manifest.Start(context.Background(), init)
	if err != nil {
		return "", nil
	}
	sum, err := files.SHA256(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return sum, err
}

// portable leaves out what differs between machines but not in the result, so
// that a checkpoint's bytes do not depend on it.
func portable(t configs.Train) configs.Train {
	t.Workers, t.Recompute, t.Devices, t.Labels, t.Init = 0, 0, 0, "", filepath.Base(t.Init)
	if t.Init == "." {
		t.Init = ""
	}
	return t
}

// goOn takes up a checkpoint.
func (r *run) goOn(c *checkpoints.Checkpoint) error {
	r.meta, r.step, r.from, r.last = c.Meta, c.Meta.Step, c.Meta.Step, c.Path
	r.meta.DataHash = r.data.Hash()
	if err := r.noteData(); err != nil {
		return err
	}
	var err error
	if r.meta.LogBytes, err = runlog.Repair(filepath.Join(r.OutDir, LogFile), r.meta.LogBytes, r.Warn); err != nil {
		return err
	}
	if pending, err := r.pending(); err != nil || !pending {
		return err
	}
	if c.Meta.Backend != r.Backend.Name() {
		r.Warn(fmt.Sprintf("going on with backend %s what began on %s: the result is as good, but not the same to the last bit", r.Backend.Name(), c.Meta.Backend))
		r.meta.Backend = r.Backend.Name()
	}
	if r.net, err = newNetwork(r.Backend, r.Net, r.Classes.Len(), r.Seed); err != nil {
		return err
	}
	r.Log(fmt.Sprintf("going on from step %d", r.step))
	return r.net.restore(c, r.Config.Crop, true)
}

// start makes what training needs beside the network.
func (r *run) start() error {
	var err error
	if err := backend.CheckPrecision(r.Backend, r.Config.Precision); err != nil {
		return fmt.Errorf("train.compute.precision: %w", err)
	}
	if r.devices, err = parallel.New(r.Backend, "train", r.Config.Devices, r.Config.Batch); err != nil {
		return err
	}
	fresh := r.net == nil
	if fresh {
		if r.net, err = newNetwork(r.Backend, r.Net, r.Classes.Len(), r.Seed); err != nil {
			return err
		}
	}
	grids, err := r.net.probe(r.Config.Crop)
	if err != nil {
		return err
	}
	if fresh && r.Config.Init != "" {
		if err := initialise(r.net, r.Config, r.Log); err != nil {
			return fmt.Errorf("train.network.init: %w", err)
		}
	}
	opt := Optimizer{Kind: r.Config.Optimizer, Momentum: r.Config.Momentum, WeightDecay: r.Config.WeightDecay, EMA: r.Config.EMA > 0, Group: r.Net.Group}
	weighted := r.LabelsDir != "" && r.Config.Confidence == "weight"
	if r.graphs, err = newStep(r.net, grids, NewLoss(r.Config), weighted, opt, r.Config, r.devices); err != nil {
		return err
	}
	aug, err := augment.FromConfig(r.Config)
	if err != nil {
		return err
	}
	r.load = &loader{ds: r.Dataset, ids: r.ids, labelsDir: r.LabelsDir, classes: r.Classes.Len(), aug: aug, grids: r.graphs.grids,
		batch: r.Config.Batch, order: batches.Order{Seed: r.Seed, N: len(r.ids)},
		confidence: r.Config.Confidence, scoresDir: or(r.ScoresDir, r.LabelsDir), minScore: r.Config.ConfidenceMin}
	r.load.warnBinary(r.Log)
	r.sched = NewSchedule(r.Config)
	if r.val, err = NewPredictor(r.Backend, r.Net, r.net.store, r.Config.Input, r.Val); err != nil {
		return err
	}
	// Images of one shape follow each other, so that each is compiled once.
	ids := r.valIDs
	r.valShapes = nil
	r.valIDs = make([]string, len(ids))
	for i, at := range data.ByShape(r.Dataset, ids, func(size image.Point) image.Point {
		r.valShapes = append(r.valShapes, r.val.Shape(size))
		return r.valShapes[len(r.valShapes)-1]
	}) {
		r.valIDs[i] = ids[at]
	}
	if r.Config.EMA > 0 {
		r.val.root = averageScope
	}
	if err := os.MkdirAll(r.OutDir, 0o755); err != nil {
		return err
	}
	if err := r.openLogs(); err != nil {
		return err
	}
	if err := r.noteData(); err != nil {
		return err
	}
	r.began = time.Now()
	return r.describe(nil)
}

// openLogs takes up the metrics log at the step that the run goes on from.
func (r *run) openLogs() error {
	path := filepath.Join(r.OutDir, LogFile)
	var err error
	if r.log, err = runlog.Open(path, r.meta.LogBytes); err != nil {
		return err
	}
	before, err := ReadLog(path)
	if err != nil {
		return err
	}
	r.watch.limit = r.Config.Diverge
	r.watch.replay(before)
	if r.Config.TensorBoard {
		r.events, err = openEvents(r.OutDir, before)
	}
	return err
}

// record writes a line to the logs.
func (r *run) record(rec Record) error {
	if r.events != nil {
		if err := r.events.add(rec); err != nil {
			return err
		}
	}
	return r.log.Add(rec)
}
