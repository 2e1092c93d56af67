// Package multilabel trains classifiers of image labels: one loop for CLIP's
// encoder (train/clip) and for the ResNet whose class activation maps label
// pixels (train/classifier). A training that is killed goes on from its last
// checkpoint and ends with the same bytes as an undisturbed one.
package multilabel

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/checkpoints/files/lock"
	"wsss/configs"
	"wsss/data"
	"wsss/data/metrics"
	"wsss/data/words"
	"wsss/models/backend"
	"wsss/train/lineage"
	"wsss/train/loop"
	"wsss/train/parallel"
)

// Net is a classifier in training: what one kind does otherwise than another.
// Methods that take nodes build graphs, and panic on errors.
type Net interface {
	Store() *model.Store
	IsWeight(path string) bool // tells the network's variables from what training adds
	Start() (string, error)    // SHA-256 of the weights file it started from; "" for random

	Image() []int // shape of one input image
	// Prepare writes the input of an image, augmented by rng, or as at test time
	// where rng is nil. dst is zero.
	Prepare(dst []float32, img image.Image, rng *rand.Rand)

	// Logits are [batch, classes], background not counted.
	Logits(scope *model.Scope, images *Node, training bool) *Node
	Loss() Loss
	// Trained lists the variables that the loss of g moves, always in the same
	// order; Update gives them new values by their gradients.
	Trained(g *Graph) []*model.Variable
	Update(vars []*model.Variable, grads, scalars []*Node)
	// Scalars are the numbers of an update, counted from 0, that Update takes; the
	// learning rate is the first.
	Scalars(step, total, perEpoch int) []float32

	// Export writes the classifier of a checkpoint into a folder and returns
	// its path.
	Export(c *checkpoints.Checkpoint, dir string, d Description) (string, error)
	Close()
}

// Coster is a Net whose cost, in training, is more than its Loss of its logits.
type Coster interface {
	Net
	Cost(scope *model.Scope, images, targets, known *Node) *Node
}

// Description is what every exported classifier tells of itself.
type Description struct {
	Classes   []string            `json:"classes"`   // background first
	Threshold []float64           `json:"threshold"` // per class after the background: the probability from which on F1 is best, on the validation split or on images held out for that
	Val       *metrics.MultiLabel `json:"val"`
	Step      int                 `json:"step"`
}

// Settings are the keys of a config that all such trainings have.
type Settings struct {
	Table           string // of the config, in messages
	Epochs, Batch   int
	Unknown         string // classes that nobody checked: ignore or absent
	LR              float64
	HoldOut         float64 // share of the images to validate on instead of training, see Examples.HoldOut; 0: on ValSplit
	Devices         int     // that share each batch; 0 = 1
	Workers         int
	CheckpointEvery configs.Every // 0 = one epoch
	Keep            int
	ValEvery        configs.Every // 0 = only at the end
	// Smaller are remedies of this kind of training to need less memory.
	Smaller []string
}

// Job is one training.
type Job struct {
	Settings
	Dataset  data.Dataset
	Split    string       // the images to train on
	Val      data.Dataset // of the same classes; nil = Dataset
	ValSplit string       // "" = no validation, but on images held out
	Seed     int64
	Backend  compute.Backend
	Net      func(classes int) (Net, error) // background not counted
	OutDir   string                         // checkpoints, log and, at the end, the classifier

	ConfigHash string            // a folder of another hash is refused
	Restart    bool              // … or replaced
	Versions   map[string]string // what made the run, for the checkpoint
	Hashes     *files.Hashes     // remembers hashes of photos between calls; may be nil

	Progress func(done, total int) // after every update; may be nil
	Log      func(line string)     // notes for a person; may be nil
	Warn     func(line string)     // of damage, and of work that is not as before; nil = Log
}

// Result is what a training came to.
type Result struct {
	Classifier string              `json:"classifier"` // file of the best checkpoint; a JSON file of the same name describes it
	Best       string              `json:"best"`       // the checkpoint of the highest mAP; the last where no validation ran
	BestStep   int                 `json:"best_step"`
	Steps      int                 `json:"steps"`
	From       int                 `json:"from"` // the step it went on from
	Val        *metrics.MultiLabel `json:"val"`  // of the best checkpoint; nil where no validation ran
	Skipped    bool                `json:"skipped"`
	PerSecond  float64             `json:"per_second"` // images of this call's updates
}

// Record is one line of the log: an update, or a validation after it.
type Record struct {
	Step     int                 `json:"step"` // updates done
	Loss     float64             `json:"loss,omitempty"`
	LR       float64             `json:"lr,omitempty"`
	GradNorm float64             `json:"grad_norm,omitempty"`
	Val      *metrics.MultiLabel `json:"val,omitempty"`
	Event    string              `json:"event,omitempty"` // why a run stopped
}

// ErrOtherRun is wrapped where OutDir holds another training.
var ErrOtherRun = loop.ErrOtherRun

// run is a training in progress: the loop's Task.
type run struct {
	Job
	loop       *loop.Loop
	train, val *Examples
	data       lineage.Record // what is learnt, and judged on
	net        Net
	update     *Step
	devices    *parallel.Devices // nil for one
	forward    *model.Exec
	take       func() (placed, error) // the next batch

	perEpoch, total int // updates
}

// Run trains, or goes on with, or recognises as finished, the training in
// job.OutDir, and exports the best checkpoint. When ctx ends it saves a
// checkpoint after the current update and returns the context's error. One
// process at a time trains in a folder: a *lock.HeldError where another does.
func Run(ctx context.Context, job Job) (*Result, error) {
	held, err := lock.Acquire(job.OutDir, job.Table)
	if err != nil {
		return nil, err
	}
	defer held.Release()
	ctx, stop := held.Context(ctx)
	defer stop()
	r, err := newRun(job)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.lookAtData(ctx); err != nil {
		return nil, err
	}
	if err := r.open(); err != nil {
		return nil, err
	}
	began := time.Now()
	if !r.loop.Finished() {
		if err := r.loop.Run(ctx); err != nil {
			remedies := append(slices.Clone(r.Smaller), fmt.Sprintf("%s.batch below %d", r.Table, r.Batch))
			return nil, backend.AdviseMemory(err, "a training step of "+words.Plural(r.Batch, "image"), remedies...)
		}
	} else if err := r.loop.Tidy(); err != nil {
		return nil, err
	}
	res, err := r.result()
	if err != nil {
		return nil, err
	}
	if n := (r.loop.Step - r.loop.From) * r.Batch; n > 0 {
		res.PerSecond = float64(n) / time.Since(began).Seconds()
	}
	return res, nil
}

// newRun reads the labels and builds the network.
func newRun(job Job) (*run, error) {
	r := &run{Job: job}
	if r.Log == nil {
		r.Log = func(string) {}
	}
	if r.Warn == nil {
		r.Warn = r.Log
	}
	if r.Progress == nil {
		r.Progress = func(int, int) {}
	}
	if r.Val == nil {
		r.Val = r.Dataset
	}
	if a, b := r.Dataset.Classes().Names, r.Val.Classes().Names; !slices.Equal(a, b) {
		return nil, fmt.Errorf("the validation dataset %s has other classes (%s) than %s (%s)", r.Val.Name(), strings.Join(b, ", "), r.Dataset.Name(), strings.Join(a, ", "))
	}
	all, err := ReadSplit(r.Dataset, r.Split, r.Unknown)
	if err != nil {
		return nil, err
	}
	r.val, all = all.HoldOut(r.HoldOut, r.Seed)
	if r.val == nil && r.ValSplit != "" {
		if r.val, err = ReadSplit(r.Val, r.ValSplit, "ignore"); err != nil {
			return nil, err
		}
	}
	if r.net, err = r.Net(all.Classes); err != nil {
		return nil, err
	}
	r.train = all.usable(r.net.Loss().Kind == "softmax")
	if n := len(r.train.IDs); n < r.Batch {
		r.net.Close()
		return nil, fmt.Errorf("split %q of dataset %s (data.train_split): %s, fewer than %s.batch = %d: allowed is at most as many as there are",
			r.Split, r.Dataset.Name(), words.Plural(n, "labelled image"), r.Table, r.Batch)
	}
	r.perEpoch = len(r.train.IDs) / r.Batch
	r.total = r.Epochs * r.perEpoch
	if r.devices, err = parallel.New(r.Backend, r.Table, r.Devices, r.Batch); err != nil {
		r.close()
		return nil, err
	}
	if r.update, r.forward, err = Compile(r.Backend, r.net, r.devices); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *run) close() {
	r.net.Close()
	if r.update != nil {
		r.update.Finalize()
	}
	if r.forward != nil {
		r.forward.Finalize()
	}
}

// Compile prepares the graphs of a network: an update, and forward, which takes
// images and returns probabilities. They compile on the first call. devices share
// the update; nil is one.
func Compile(b compute.Backend, net Net, devices *parallel.Devices) (update *Step, forward *model.Exec, err error) {
	if update, err = newStep(b, net, devices); err != nil {
		return nil, nil, err
	}
	forward, err = model.NewExec(b, net.Store(), func(scope *model.Scope, images *Node) *Node {
		return net.Loss().Probabilities(net.Logits(scope, images, false))
	})
	return update, forward, err
}

// Call runs a graph and copies its results, floats, to the host.
func Call(exec *model.Exec, in ...any) (values [][]float32, err error) {
	out, err := call(exec, in...)
	if err != nil {
		return nil, err
	}
	for _, t := range out {
		v, err := tensors.CopyFlatData[float32](t)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
		_ = t.FinalizeAll()
	}
	return values, nil
}

// call runs a graph; the engine's panics are errors.
func call(exec *model.Exec, in ...any) (out []*tensors.Tensor, err error) {
	if caught := exceptions.TryCatch[error](func() { out, err = exec.Call(in...) }); caught != nil {
		err = caught
	}
	return out, err
}
