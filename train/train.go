// Package train is stage two: it trains a segmentation network on
// pseudo-labels or true masks, by the schedules of docs/sources.md §8, and predicts
// with the result. A run survives being killed: it goes on from its last
// checkpoint and ends with the same bytes as an undisturbed one on the same
// backend (on a GPU with the config's deterministic).
package train

import (
	"context"
	"image"
	"time"

	"github.com/gomlx/compute"

	"wsss/checkpoints/files"
	"wsss/checkpoints/files/lock"
	"wsss/configs"
	"wsss/data"
	"wsss/models"
	"wsss/train/early"
	"wsss/train/lineage"
	"wsss/train/loop"
	"wsss/train/optim"
	"wsss/train/parallel"
)

// Job is one training.
type Job struct {
	Name      string // shown in curves and run.json
	Dataset   data.Dataset
	Split     string         // the images to train on
	ValSplit  string         // the images to validate on, as far as they have true masks; "" = no validation
	Val       PredictOptions // how to validate
	LabelsDir string         // folder of <id>.png to train on; "" = true masks
	IDs       []string       // only these images of the split; nil = all, for true masks all that have one
	ScoresDir string         // folder of the sidecars that Config.Confidence reads; "" = LabelsDir
	Config    configs.Train
	Seed      int64
	Backend   compute.Backend
	OutDir    string           // checkpoints, log, curves and run.json go here
	Held      *lock.Lock       // of OutDir, whose owner gives it back; nil: Run takes it
	Net       models.Segmenter // nil builds Config.Arch
	Classes   data.Classes     // what the network distinguishes; the zero value means Dataset.Classes()

	ConfigHash string            // configs.Config.TrainHash; a folder of another hash is refused
	LabelsHash string            // of the label files; "" computes it
	Versions   map[string]string // what made the run, for the checkpoint
	Restart    bool              // replace a training of another config or of another folder of labels, instead of refusing
	Hashes     *files.Hashes     // remembers hashes of the data between calls; may be nil

	Progress func(done, total int) // after every update; may be nil
	Updated  func(Record)          // before it, what the update came to; may be nil
	Log      func(line string)     // notes for a person; may be nil
	Warn     func(line string)     // of damage, and of work that is not as before; nil = Log
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
// another folder of labels.
var ErrOtherRun = loop.ErrOtherRun

// Run trains, or goes on with, or recognises as finished, the training in
// job.OutDir; where its labels, photos or classes have changed since it trains
// again. When ctx ends it saves a checkpoint after the current update and
// returns the context's error. One process at a time trains in a folder: a
// *lock.HeldError where another one does.
func Run(ctx context.Context, job Job) (*Result, error) {
	held := job.Held
	if held == nil {
		var err error
		if held, err = lock.Acquire(job.OutDir, "train"); err != nil {
			return nil, err
		}
		defer held.Release()
	}
	ctx, stop := held.Context(ctx)
	defer stop()
	r, err := newRun(ctx, job)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if r.loop.Finished() {
		return r.finished()
	}
	r.ctx = ctx
	if err := r.start(); err != nil {
		return nil, err
	}
	if err := r.loop.Run(ctx); err != nil {
		return nil, advise(err, job.Config)
	}
	return r.finish()
}

// run is a training in progress: the loop's Task.
type run struct {
	Job
	loop        *loop.Loop
	ids, valIDs []string
	valShapes   []image.Point
	data        lineage.Record // what is learnt of the images
	net         *network
	graphs      *step
	devices     *parallel.Devices // nil for one
	load        *loader
	take        func() (placed, error) // the next batch
	sched       optim.Schedule
	val         *Predictor
	watch       monitor
	early       *early.Tracker // nil unless train.noise.early is set
	events      *eventLog      // nil unless asked for
	began       time.Time
	ctx         context.Context // of Run, for start
}

// newRun checks the job and looks for a checkpoint to go on from.
func newRun(ctx context.Context, job Job) (*run, error) {
	r := &run{Job: job}
	if r.Log == nil {
		r.Log = func(string) {}
	}
	if r.Warn == nil {
		r.Warn = r.Log
	}
	if r.Updated == nil {
		r.Updated = func(Record) {}
	}
	if r.Progress == nil {
		r.Progress = func(int, int) {}
	}
	if r.Classes.Len() == 0 {
		r.Classes = job.Dataset.Classes()
	}
	var err error
	if err := r.choose(ctx); err != nil {
		return nil, err
	}
	if err := r.lookAtData(ctx); err != nil {
		return nil, err
	}
	if r.Net == nil {
		if err := CheckBatch(job.Config); err != nil {
			return nil, err
		}
		if r.Net, err = NewSegmenter(job.Config, r.Classes.Len()); err != nil {
			return nil, err
		}
	}
	if err := r.fitBatch(ctx); err != nil {
		return nil, err
	}
	return r, r.open()
}
