// Package train is stage two: it trains a segmentation network on
// pseudo-labels or true masks, by the schedules of METHODS §8, and predicts
// with the result. A run survives being killed: it goes on from its last
// checkpoint and ends with the same bytes as an undisturbed one on the same
// backend.
package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/data"
	"wsss/data/augment"
	"wsss/models"
)

// Job is one training.
type Job struct {
	Name      string // shown in curves and run.json
	Dataset   data.Dataset
	Split     string         // the images to train on
	ValSplit  string         // the images to validate on; "" = no validation
	Val       PredictOptions // how to validate
	LabelsDir string         // folder of <id>.png to train on; "" = true masks
	Config    configs.Train
	Seed      int64
	Backend   compute.Backend
	OutDir    string           // checkpoints, log, curves and run.json go here
	Net       models.Segmenter // nil builds Config.Arch
	Classes   data.Classes     // what the network distinguishes; the zero value means Dataset.Classes()

	ConfigHash string            // configs.Config.TrainHash; a folder of another hash is refused
	LabelsHash string            // of the label files; "" computes it
	Versions   map[string]string // what made the run, for the checkpoint
	Restart    bool              // replace a training of another config or of other labels, instead of refusing

	Progress func(done, total int) // after every update; may be nil
	Log      func(line string)     // notes for a person; may be nil
}

// Result is what a training came to.
type Result struct {
	Checkpoint string  `json:"checkpoint"` // the last
	Best       string  `json:"best"`       // of the highest validation mIoU; the last where no validation ran
	Steps      int     `json:"steps"`
	Loss       float64 `json:"loss"`     // mean of the last tenth of the updates
	ValMIoU    float64 `json:"val_miou"` // at the end; 0 where no validation ran
	BestMIoU   float64 `json:"best_miou"`
	BestStep   int     `json:"best_step"`
	From       int     `json:"from"`       // the step it went on from
	Skipped    bool    `json:"skipped"`    // it was finished already
	Seconds    float64 `json:"seconds"`    // of this call's updates and validations
	PerSecond  float64 `json:"per_second"` // training images
}

// ErrOtherRun is wrapped where OutDir holds a training of another config or of
// other labels.
var ErrOtherRun = errors.New("holds another training")

// Run trains, or goes on with, or recognises as finished, the training in
// job.OutDir. When ctx ends it saves a checkpoint after the current update and
// returns the context's error.
func Run(ctx context.Context, job Job) (*Result, error) {
	r, err := newRun(job)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if r.step >= job.Config.Iterations {
		return r.finished()
	}
	if err := r.start(); err != nil {
		return nil, err
	}
	if err := r.train(ctx); err != nil {
		return nil, advise(err, job.Config)
	}
	return r.finish()
}

// run is a training in progress.
type run struct {
	Job
	ids, valIDs []string
	net         *network
	graphs      *step
	load        *loader
	sched       Schedule
	log         *metricsLog
	val         *Predictor
	watch       monitor
	events      *eventLog // nil unless asked for

	meta  checkpoints.Meta // of the last checkpoint
	last  string           // its path
	step  int              // updates done
	from  int
	began time.Time
}

// newRun checks the job and looks for a checkpoint to go on from.
func newRun(job Job) (*run, error) {
	r := &run{Job: job}
	if r.Log == nil {
		r.Log = func(string) {}
	}
	if r.Progress == nil {
		r.Progress = func(int, int) {}
	}
	if r.Classes.Len() == 0 {
		r.Classes = job.Dataset.Classes()
	}
	var err error
	if r.ids, err = nonEmpty(job.Dataset, job.Split); err != nil {
		return nil, err
	}
	if job.ValSplit != "" {
		if r.valIDs, err = nonEmpty(job.Dataset, job.ValSplit); err != nil {
			return nil, err
		}
		r.valIDs = spread(r.valIDs, job.Config.ValImages)
	}
	if err := checkLabels(job.LabelsDir, r.ids); err != nil {
		return nil, err
	}
	if r.LabelsHash == "" && job.LabelsDir != "" {
		if r.LabelsHash, err = LabelsHash(job.LabelsDir, r.ids); err != nil {
			return nil, err
		}
	}
	if r.Net == nil {
		if r.Net, err = NewSegmenter(job.Config, r.Classes.Len()); err != nil {
			return nil, err
		}
	}
	return r, r.open()
}

// open loads the newest checkpoint, or makes a fresh network.
func (r *run) open() error {
	c, err := checkpoints.Latest(r.OutDir, r.Log)
	if err == nil {
		defer c.Close()
		same := c.Meta.ConfigHash == r.ConfigHash && c.Meta.LabelsHash == r.LabelsHash && c.Meta.Seed == r.Seed
		switch {
		case same:
			return r.goOn(c)
		case !r.Restart:
			return fmt.Errorf("%s %w (config %s, labels %s; now %s, %s): remove the folder, or choose another out",
				r.OutDir, ErrOtherRun, c.Meta.ConfigHash, or(c.Meta.LabelsHash, "true masks"), r.ConfigHash, or(r.LabelsHash, "true masks"))
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
		ConfigHash: r.ConfigHash, LabelsHash: r.LabelsHash,
		Backend: r.Backend.Name(), Versions: checkpoints.Versions(),
	}
	maps.Copy(r.meta.Versions, r.Versions)
	return nil
}

// portable leaves out what differs between machines but not in the result, so
// that a checkpoint's bytes do not depend on it.
func portable(t configs.Train) configs.Train {
	t.Workers, t.Labels, t.Init = 0, "", filepath.Base(t.Init)
	if t.Init == "." {
		t.Init = ""
	}
	return t
}

// goOn takes up a checkpoint.
func (r *run) goOn(c *checkpoints.Checkpoint) error {
	r.meta, r.step, r.from, r.last = c.Meta, c.Meta.Step, c.Meta.Step, c.Path
	if r.step >= r.Config.Iterations {
		return nil
	}
	if c.Meta.Backend != r.Backend.Name() {
		r.Log(fmt.Sprintf("going on with backend %s what began on %s: the result is as good, but not the same to the last bit", r.Backend.Name(), c.Meta.Backend))
		r.meta.Backend = r.Backend.Name()
	}
	var err error
	if r.net, err = newNetwork(r.Backend, r.Net, r.Classes.Len(), r.Seed); err != nil {
		return err
	}
	r.Log(fmt.Sprintf("going on from step %d", r.step))
	return r.net.restore(c, r.Config.Crop, true)
}

// start makes what training needs beside the network.
func (r *run) start() error {
	var err error
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
			return fmt.Errorf("train.init: %w", err)
		}
	}
	opt := Optimizer{Kind: r.Config.Optimizer, Momentum: r.Config.Momentum, WeightDecay: r.Config.WeightDecay, EMA: r.Config.EMA > 0, Group: r.Net.Group}
	weighted := r.LabelsDir != "" && r.Config.Confidence == "weight"
	if r.graphs, err = newStep(r.net, grids, NewLoss(r.Config), weighted, opt, r.Config.Accumulate); err != nil {
		return err
	}
	aug, err := augment.FromConfig(r.Config)
	if err != nil {
		return err
	}
	r.load = &loader{ds: r.Dataset, ids: r.ids, labelsDir: r.LabelsDir, classes: r.Classes.Len(), aug: aug, grids: r.graphs.grids,
		batch: r.Config.Batch, seed: r.Seed,
		confidence: r.Config.Confidence, minScore: r.Config.ConfidenceMin}
	r.sched = NewSchedule(r.Config)
	if r.val, err = NewPredictor(r.Backend, r.Net, r.net.store, r.Config.Input, r.Val); err != nil {
		return err
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
	r.began = time.Now()
	return r.describe(nil)
}

// openLogs takes up the metrics log at the step that the run goes on from.
func (r *run) openLogs() error {
	path := filepath.Join(r.OutDir, LogFile)
	var err error
	if r.log, err = openLog(path, r.meta.LogBytes); err != nil {
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
	return r.log.add(rec)
}

// train runs the updates that are left.
func (r *run) train(ctx context.Context) error {
	t := r.Config
	batches := (t.Iterations - r.step) * t.Accumulate
	first := int64(r.step) * int64(t.Accumulate) * int64(t.Batch)
	next, stop := r.load.prefetch(ctx, first, batches, t.Workers)
	defer stop()
	for r.step < t.Iterations {
		rec, err := r.update(next)
		if err != nil {
			if ctx.Err() != nil {
				return r.interrupted(ctx)
			}
			return err
		}
		r.step++
		rec.Step = r.step
		rec.Epoch = float64(r.drawn()) / float64(len(r.ids))
		if err := r.record(rec); err != nil {
			return err
		}
		if err := r.watch.add(rec.Loss); err != nil {
			return errors.Join(err, r.record(Record{Step: r.step, Event: err.Error()}))
		}
		r.Progress(r.step, t.Iterations)
		if err := r.after(ctx); err != nil {
			return err // a validation cut short is repeated from the last checkpoint
		}
		if ctx.Err() != nil {
			return r.interrupted(ctx)
		}
	}
	return nil
}

func (r *run) drawn() int64 {
	return int64(r.step) * int64(r.Config.Accumulate) * int64(r.Config.Batch)
}

// update is one optimiser update. It returns before it touches a variable if
// its first batch does not come.
func (r *run) update(next func() (*batch, error)) (Record, error) {
	k := r.Config.Accumulate
	var rec Record
	batches := make([]*batch, 0, k)
	defer func() {
		for _, b := range batches {
			b.free()
		}
	}()
	scalars := r.sched.scalars(r.step)
	for _, v := range scalars[:inUpdate] {
		rec.LR = append(rec.LR, float64(v.(float32)))
	}
	for range k {
		b, err := next()
		if err != nil {
			return rec, err
		}
		batches = append(batches, b)
	}
	var ids []string
	for _, b := range batches {
		ids = append(ids, b.ids...)
		in := b.inputs()
		if k == 1 {
			out, err := call(r.graphs.whole.Call, append(in, scalars...)...)
			if err != nil {
				return rec, err
			}
			rec.Loss, rec.GradNorm = out[0], math.Sqrt(out[1])
			break
		}
		out, err := call(r.graphs.add.Call, in...)
		if err != nil {
			return rec, err
		}
		rec.Loss += out[0] / float64(k)
		if !finite(out[0]) {
			return rec, r.notFinite("loss", out[0], b.ids)
		}
	}
	if k > 1 {
		out, err := call(r.graphs.apply.Call, scalars...)
		if err != nil {
			return rec, err
		}
		rec.GradNorm = math.Sqrt(out[0])
	}
	if !finite(rec.Loss) {
		return rec, r.notFinite("loss", rec.Loss, ids)
	}
	if !finite(rec.GradNorm) {
		return rec, r.notFinite("gradient", rec.GradNorm, ids)
	}
	return rec, nil
}

// call runs a graph whose results are scalars.
func call(exec func(...any) ([]*tensors.Tensor, error), in ...any) (values []float64, err error) {
	var out []*tensors.Tensor
	if caught := exceptions.TryCatch[error](func() { out, err = exec(in...) }); caught != nil {
		err = caught
	}
	if err != nil {
		return nil, err
	}
	for _, t := range out {
		v, err := t.ValueSafe()
		if err != nil {
			return nil, err
		}
		values = append(values, float64(v.(float32)))
		_ = t.FinalizeAll()
	}
	return values, nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// notFinite stops a training whose weights are about to be lost. The
// checkpoint before it stays the newest.
func (r *run) notFinite(what string, value float64, ids []string) error {
	err := fmt.Errorf("update %d: the %s is %g: images %s; the last checkpoint is of step %d. Lower train.lr (%g), or look at these images and their labels",
		r.step+1, what, value, strings.Join(ids, ", "), r.meta.Step, r.Config.LR)
	if logErr := r.record(Record{Step: r.step + 1, Event: err.Error()}); logErr != nil {
		return errors.Join(err, logErr)
	}
	return err
}

// after validates and saves where the update just done calls for it.
func (r *run) after(ctx context.Context) error {
	if r.validates(r.step) {
		if err := r.validate(ctx); err != nil {
			return err
		}
	}
	if r.regular(r.step) || r.meta.BestStep == r.step {
		return r.save()
	}
	return nil
}

func (r *run) validates(step int) bool {
	t := r.Config
	return len(r.valIDs) > 0 && (step == t.Iterations || t.ValEvery > 0 && step%t.ValEvery == 0)
}

// regular tells the steps that an undisturbed run saves.
func (r *run) regular(step int) bool {
	return step%r.Config.CheckpointEvery == 0 || step == r.Config.Iterations
}

// save writes the checkpoint of the current step, and the curves.
func (r *run) save() error {
	size, err := r.log.sync()
	if err != nil {
		return err
	}
	r.meta.Step, r.meta.Drawn, r.meta.LogBytes = r.step, r.drawn(), size
	r.meta.Epoch = r.meta.Drawn / int64(len(r.ids))
	values, err := r.net.state()
	if err != nil {
		return err
	}
	if r.last, err = checkpoints.Save(r.OutDir, r.meta, values); err != nil {
		return err
	}
	return r.tidy()
}

// tidy removes old checkpoints and draws the curves.
func (r *run) tidy() error {
	if err := checkpoints.Prune(r.OutDir, r.Config.Keep, r.regular, r.meta.BestStep); err != nil {
		return err
	}
	log, err := ReadLog(filepath.Join(r.OutDir, LogFile))
	if err != nil {
		return err
	}
	return writeCurves(r.OutDir, r.Name, log)
}

// interrupted saves where the run stands. Nothing of a half-done update has
// reached the variables, because an update begins with all its batches in hand.
func (r *run) interrupted(ctx context.Context) error {
	if r.step > r.meta.Step {
		if err := r.save(); err != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
	r.Log(fmt.Sprintf("stopped after step %d of %d; the same command goes on from there", r.step, r.Config.Iterations))
	return context.Cause(ctx)
}

// finished is the result of a training that an earlier call completed. Had it
// been killed right after its last checkpoint, what follows one is made up for.
func (r *run) finished() (*Result, error) {
	if err := r.tidy(); err != nil {
		return nil, err
	}
	res, err := r.result()
	if err != nil {
		return nil, err
	}
	res.Skipped = true
	return res, nil
}

func (r *run) finish() (*Result, error) {
	res, err := r.result()
	if err != nil {
		return nil, err
	}
	return res, r.describe(res)
}

func (r *run) result() (*Result, error) {
	log, err := ReadLog(filepath.Join(r.OutDir, LogFile))
	if err != nil {
		return nil, err
	}
	res := &Result{Checkpoint: r.last, Best: r.last, Steps: r.step, From: r.from, BestMIoU: r.meta.BestMIoU, BestStep: r.meta.BestStep}
	if best := filepath.Join(r.OutDir, checkpoints.FileName(r.meta.BestStep)); r.meta.BestStep > 0 {
		res.Best = best
	}
	n := 0
	for _, rec := range log {
		if len(rec.LR) > 0 && rec.Step > r.step-max(r.step/10, 1) {
			res.Loss += rec.Loss
			n++
		}
		if rec.ValMIoU != nil && rec.Step == r.step {
			res.ValMIoU = *rec.ValMIoU
		}
	}
	res.Loss /= float64(max(n, 1))
	if !r.began.IsZero() {
		res.Seconds = time.Since(r.began).Seconds()
		res.PerSecond = float64((r.step-r.from)*r.Config.Batch*r.Config.Accumulate) / res.Seconds
	}
	return res, nil
}

func (r *run) close() {
	if r.log != nil {
		_ = r.log.close() // all that matters was synced with the checkpoint
	}
	if r.events != nil {
		_ = r.events.f.Close()
	}
	if r.val != nil {
		r.val.Close()
	}
	if r.graphs != nil {
		r.graphs.finalize()
	}
	if r.net != nil {
		r.net.store.Finalize()
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
