package train

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/augment"
	"wsss/models"
	"wsss/models/backend"
	"wsss/models/manifest"
	"wsss/train/batches"
	"wsss/train/early"
	"wsss/train/loop"
	"wsss/train/optim"
	"wsss/train/parallel"
	"wsss/train/runlog"
)

// open loads the newest checkpoint, or prepares a fresh training.
func (r *run) open() error {
	init, err := initHash(r.Config.Init)
	if err != nil {
		return err
	}
	first := checkpoints.Meta{
		Seed: r.Seed, Images: len(r.ids), Log: LogFile,
		Model:   checkpoints.Model{Train: portable(r.Config), Classes: r.Classes.Names},
		Dataset: r.Dataset.Name(), Split: r.Split,
		ConfigHash: r.ConfigHash, LabelsHash: r.LabelsHash, DataHash: r.data.Hash(), InitHash: init,
		Backend: r.Backend.Name(), Versions: checkpoints.Versions(),
	}
	maps.Copy(first.Versions, r.Versions)
	perEpoch := r.perEpoch()
	r.watch.limit = r.Config.Diverge
	if t := r.Config; t.Early > 0 {
		r.early = early.New(t.Early, cmp.Or(t.EarlyEvery, configs.Epochs(1)).Updates(perEpoch), perEpoch, r.Classes.Len())
	}
	r.loop = &loop.Loop{
		Task: r, Table: "train", Dir: r.OutDir, Total: r.Config.Iterations, Drawn: r.Config.Accumulate * r.Config.Batch, Images: len(r.ids), LR: r.Config.LR,
		SaveEvery: r.Config.CheckpointEvery.Updates(perEpoch), ValEvery: r.Config.ValEvery.Updates(perEpoch), Validates: len(r.valIDs) > 0,
		Ahead: backend.KindOf(r.Backend) == backend.XLA, Keep: r.Config.Keep, Patience: r.Config.Patience, Measure: "mIoU",
		Identity: loop.Identity{
			New: first, Data: r.data, Restart: r.Restart, Files: slices.Concat([]string{EventsFile, RunFile}, curveFiles),
			Same: func(m checkpoints.Meta) bool {
				return m.ConfigHash == r.ConfigHash && m.Seed == r.Seed && r.sameFolder(m) && (init == "" || m.InitHash == "" || m.InitHash == init)
			},
			Done: func() bool {
				info, ok := r.described()
				return ok && info.Result != nil
			},
			Describe: describe, Changes: changesTo(first),
		},
		Hooks: []loop.Hook{
			{Updated: func(_ int, u loop.Update) error { return r.watch.add(u.Loss) }},
			{Updated: func(_ int, u loop.Update) error { r.Updated(u.Record.(Record)); return nil }},
			{Saved: r.drawCurves},
		},
		Progress: r.Progress, Log: r.Log, Warn: r.Warn,
		Event: func(step int, text string) any { return Record{Step: step, Event: text} },
		Validated: func(line []byte, step int) bool {
			var rec Record
			return json.Unmarshal(line, &rec) == nil && rec.ValMIoU != nil && rec.Step == step
		},
	}
	_, err = r.loop.Resume()
	return err
}

// perEpoch is the updates in a pass over the images.
func (r *run) perEpoch() int {
	return max(1, len(r.ids)/(r.Config.Batch*r.Config.Accumulate))
}

// initHash is the SHA-256 of the weights that a training begins with: "" for
// random ones, and for a file that is gone, which a training that goes on from
// a checkpoint does not need.
func initHash(init string) (string, error) {
	if init == "" {
		return "", nil
	}
	path, err := manifest.InitialWeights(context.Background(), init)
	if err != nil {
		return "", nil
	}
	sum, err := files.SHA256(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return sum, err
}

func describe(m checkpoints.Meta) string {
	return fmt.Sprintf("config %s, labels %s", m.ConfigHash, or(m.LabelsHash, trueMasks))
}

// changesTo names the keys by which a checkpoint's training differs from this one.
func changesTo(now checkpoints.Meta) func(was checkpoints.Meta) []string {
	return func(was checkpoints.Meta) []string { return configs.Changes("train", was.Model.Train, now.Model.Train) }
}

// CheckFolder is the error that a training would end with in a folder that holds
// one of another config or seed; it wraps ErrOtherRun.
func CheckFolder(dir string, cfg configs.Train, seed int64, configHash string) error {
	c, err := checkpoints.Latest(dir, nil)
	if err != nil {
		return nil // none is there, or the training tells
	}
	defer c.Close()
	if c.Meta.ConfigHash == configHash && c.Meta.Seed == seed {
		return nil
	}
	now := checkpoints.Meta{Seed: seed, ConfigHash: configHash, LabelsHash: c.Meta.LabelsHash, Model: checkpoints.Model{Train: portable(cfg)}}
	return loop.Identity{New: now, Describe: describe, Changes: changesTo(now)}.Refuse(dir, c.Meta)
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

// Restore is loop.Task's.
func (r *run) Restore(c *checkpoints.Checkpoint) (err error) {
	if r.net, err = newNetwork(r.Backend, r.Net, r.Classes.Len(), r.Seed); err != nil {
		return err
	}
	if err := r.net.restore(c, r.Config.Crop, true); err != nil || r.early == nil {
		return err
	}
	if err := r.early.Restore(c.Tensor); err != nil {
		return fmt.Errorf("%s: train.noise.early: %w", c.Path, err)
	}
	return nil
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
	if fresh && r.Config.Init == "" && r.Config.Frozen {
		r.Log("note: train.network.frozen keeps a backbone of random numbers, as train.network.init is empty")
	}
	loss := newLoss(r.Config)
	if loss.Weights, err = r.classWeights(); err != nil {
		return err
	}
	if err := r.prepare(grids, loss); err != nil {
		return err
	}
	if err := r.newLoader(); err != nil {
		return err
	}
	r.sched = optim.NewSchedule(r.Config, r.perEpoch())
	if err := r.newValidation(); err != nil {
		return err
	}
	if err := files.MkdirAll(r.OutDir); err != nil {
		return err
	}
	if err := r.readLogs(); err != nil {
		return err
	}
	r.began = time.Now()
	return r.describe(nil)
}

// newLoader makes what reads batches.
func (r *run) newLoader() error {
	aug, err := augment.FromConfig(r.Config)
	if err != nil {
		return err
	}
	order, err := batches.NewOrder(r.Dataset, r.ids, r.Seed)
	if err != nil {
		return err
	}
	r.load = &loader{ds: r.Dataset, ids: r.ids, labelsDir: r.LabelsDir, classes: r.Classes.Len(), aug: aug, grids: r.graphs.grids,
		batch: r.Config.Batch, order: order,
		confidence: r.Config.Confidence, scoresDir: or(r.ScoresDir, r.LabelsDir), minScore: r.Config.ConfidenceMin,
		copyPaste: r.Config.CopyPaste, pasteMin: r.Config.CopyPasteMin}
	if learner, ok := r.Net.(models.Learner); ok {
		r.load.places = learner.Places
	}
	if r.load.features, err = r.cacheFeatures(r.ctx, aug); err != nil {
		return err
	}
	r.load.warnBinary(r.Log)
	return nil
}

// newValidation makes what validates, and puts its images in order.
func (r *run) newValidation() (err error) {
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
		r.val.root = optim.AverageScope
	}
	return nil
}

// prepare makes the graphs of an update.
func (r *run) prepare(grids []grid, loss Loss) error {
	opt, err := r.optimizer()
	if err != nil {
		return err
	}
	r.graphs, err = newStep(r.net, grids, loss, weighs(r.LabelsDir, r.Config.Confidence), opt, r.Config, r.devices)
	return err
}

// optimizer is what the keys of [train.optimizer] describe.
func (r *run) optimizer() (optim.Optimizer, error) {
	t := r.Config
	opt := optim.Optimizer{Name: t.Optimizer, Momentum: t.Momentum, WeightDecay: t.WeightDecay, EMA: t.EMA > 0, Group: r.Net.Group,
		ClipNorm: t.ClipNorm, Kernels: t.DecayOf == configs.DecayKernels}
	if e, ok := models.As[models.Embedder](r.Net); ok {
		opt.Embedding = e.IsEmbedding
	}
	if t.LayerDecay == 0 || t.LayerDecay == 1 {
		return opt, nil
	}
	net, ok := models.As[models.Layered](r.Net)
	if !ok {
		return opt, fmt.Errorf("train.optimizer.layer_decay = %g: train.network.arch = %q does not tell its layers: allowed is 0", t.LayerDecay, t.Arch)
	}
	opt.Mult = optim.LayerRates(net, t.LayerDecay)
	return opt, nil
}

// readLogs has what watches the log see what earlier calls wrote.
func (r *run) readLogs() error {
	log, err := runlog.Open(filepath.Join(r.OutDir, LogFile), r.loop.Meta.LogBytes) // cuts it
	if err != nil {
		return err
	}
	if err := log.Close(); err != nil {
		return err
	}
	before, err := ReadLog(filepath.Join(r.OutDir, LogFile))
	if err != nil {
		return err
	}
	r.watch.replay(before)
	if r.Config.TensorBoard {
		if r.events, err = openEvents(r.OutDir, before); err != nil {
			return err
		}
		r.loop.Hooks = append(r.loop.Hooks, loop.Hook{
			Logged: func(rec any) error { return r.events.add(rec.(Record)) },
			Saved:  func() error { return r.events.f.Sync() },
		})
	}
	return nil
}
