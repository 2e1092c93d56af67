package clip

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/data"
)

// Job is one fine-tuning.
type Job struct {
	Dataset  data.Dataset
	Split    string       // the images to train on
	Val      data.Dataset // of the same classes; nil = Dataset
	ValSplit string       // "" = no validation
	Config   configs.FineTuneCLIP
	Seed     int64
	Backend  compute.Backend
	// Text has CLIP's embedding of each class (Prompts), from which the new
	// layers start under head = "text".
	Text   [][]float32
	OutDir string // checkpoints, log and, at the end, the classifier

	ConfigHash string            // configs.Config.FineTuneHash; a folder of another hash is refused
	Versions   map[string]string // what made the run, for the checkpoint

	Progress func(done, total int) // after every update; may be nil
	Log      func(line string)     // notes for a person; may be nil
}

// Result is what a fine-tuning came to.
type Result struct {
	Classifier string   `json:"classifier"` // ONNX file of the best checkpoint; a JSON file of the same name describes it
	Best       string   `json:"best"`       // the checkpoint of the highest mAP; the last where no validation ran
	BestStep   int      `json:"best_step"`
	Steps      int      `json:"steps"`
	From       int      `json:"from"` // the step it went on from
	Val        *Metrics `json:"val"`  // of the best checkpoint; nil where no validation ran
	Skipped    bool     `json:"skipped"`
	PerSecond  float64  `json:"per_second"` // images of this call's updates
}

// ErrOtherRun is wrapped where OutDir holds another fine-tuning.
var ErrOtherRun = errors.New("holds another training")

// run is a fine-tuning in progress.
type run struct {
	Job
	train, val *split
	net        *network
	update     *model.Exec
	forward    *model.Exec
	log        *logFile
	meta       checkpoints.Meta
	last       string

	perEpoch, total int // updates
	step, from      int
	pending         bool // the checkpoint to go on from was cut off before its validation
}

// Run fine-tunes, or goes on with, or recognises as finished, the training in
// job.OutDir, and exports the best checkpoint. When ctx ends it saves a
// checkpoint after the current update and returns the context's error.
func Run(ctx context.Context, job Job) (*Result, error) {
	r, err := newRun(job)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.open(); err != nil {
		return nil, err
	}
	began := time.Now()
	if r.step < r.total || r.pending {
		if err := r.updates(ctx); err != nil {
			return nil, err
		}
	}
	res, err := r.result()
	if err != nil {
		return nil, err
	}
	if n := (r.step - r.from) * r.Config.Batch; n > 0 {
		res.PerSecond = float64(n) / time.Since(began).Seconds()
	}
	return res, nil
}

// newRun reads the labels and opens the encoder.
func newRun(job Job) (*run, error) {
	r := &run{Job: job}
	if r.Log == nil {
		r.Log = func(string) {}
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
	if (r.Config.Head == "text") != (r.Text != nil) {
		return nil, fmt.Errorf("finetune_clip.head = %q, and %d text embeddings given", r.Config.Head, len(r.Text))
	}
	all, err := readSplit(r.Dataset, r.Split, r.Config.Unknown)
	if err != nil {
		return nil, err
	}
	if r.train, err = all.usable(r.Config); err != nil {
		return nil, fmt.Errorf("split %q of dataset %s: %w", r.Split, r.Dataset.Name(), err)
	}
	if r.ValSplit != "" {
		if r.val, err = readSplit(r.Val, r.ValSplit, "ignore"); err != nil {
			return nil, err
		}
	}
	r.perEpoch = len(r.train.ids) / r.Config.Batch
	r.total = r.Config.Epochs * r.perEpoch
	if r.net, err = newNetwork(r.Backend, r.Config, r.train.classes, r.Seed, r.Text); err != nil {
		return nil, err
	}
	return r, r.compile()
}

func (r *run) close() {
	r.net.close()
	for _, e := range []*model.Exec{r.update, r.forward} {
		if e != nil {
			e.Finalize()
		}
	}
	if r.log != nil {
		_ = r.log.close() // everything that counts was synced with a checkpoint
	}
}

// compile prepares the graphs; they compile on the first call.
func (r *run) compile() (err error) {
	r.update, err = model.NewExec(r.Backend, r.net.store, func(scope *model.Scope, in []*Node) []*Node {
		// Otherwise some backends would compile the moments in as constants.
		r.net.store.SetTraining(in[0].Graph(), true)
		logits := r.net.logits(scope, in[0])
		cost := loss(r.Config, logits, in[1], in[2])
		vars := r.net.trained(r.Config, in[0].Graph())
		nodes := make([]*Node, len(vars))
		for i, v := range vars {
			nodes[i] = v.NodeValue(in[0].Graph())
		}
		grads := Gradient(cost, nodes...)
		norm := ReduceAllSum(Square(grads[0]))
		for _, g := range grads[1:] {
			norm = Add(norm, ReduceAllSum(Square(g)))
		}
		adamW(r.net.store, vars, grads, in[3], in[4])
		return []*Node{cost, Sqrt(norm)}
	})
	if err != nil {
		return err
	}
	r.forward, err = model.NewExec(r.Backend, r.net.store, func(scope *model.Scope, images *Node) *Node {
		return probabilities(r.Config.Loss, r.net.logits(scope, images))
	})
	return err
}

// probabilities are of the classes, over all or each for itself.
func probabilities(kind string, logits *Node) *Node {
	if kind == "softmax" {
		return Exp(logSoftmax(logits))
	}
	return Sigmoid(logits)
}

// open takes up the newest checkpoint, or starts afresh.
func (r *run) open() error {
	encoder, err := r.net.encoder.Hash()
	if err != nil {
		return err
	}
	r.meta = checkpoints.Meta{
		Seed: r.Seed, Images: len(r.train.ids), Log: LogFile,
		Model:   checkpoints.Model{Classes: r.Dataset.Classes().Names},
		Dataset: r.Dataset.Name(), Split: r.Split, ConfigHash: r.ConfigHash, LabelsHash: r.train.hash(), InitHash: encoder,
		Backend: r.Backend.Name(), Versions: checkpoints.Versions(),
	}
	maps.Copy(r.meta.Versions, r.Versions)
	c, err := checkpoints.Latest(r.OutDir, r.Log)
	switch {
	case err == nil:
		defer c.Close()
		if m := c.Meta; m.ConfigHash != r.ConfigHash || m.LabelsHash != r.meta.LabelsHash || m.InitHash != encoder || m.Seed != r.Seed {
			return fmt.Errorf("%s %w (config %s, labels %s, encoder %.8s; now %s, %s, %.8s): remove the folder, or choose another out",
				r.OutDir, ErrOtherRun, m.ConfigHash, m.LabelsHash, m.InitHash, r.ConfigHash, r.meta.LabelsHash, encoder)
		}
		if c.Meta.Backend != r.Backend.Name() && c.Meta.Step < r.total {
			r.Log(fmt.Sprintf("going on with backend %s what began on %s: the result is as good, but not the same to the last bit", r.Backend.Name(), c.Meta.Backend))
			c.Meta.Backend = r.Backend.Name()
		}
		r.meta, r.step, r.from, r.last = c.Meta, c.Meta.Step, c.Meta.Step, c.Path
		if err := r.net.restore(c); err != nil {
			return err
		}
	case !errors.Is(err, checkpoints.ErrNone):
		return err
	}
	if err := os.MkdirAll(r.OutDir, 0o755); err != nil {
		return err
	}
	if r.log, err = openLog(filepath.Join(r.OutDir, LogFile), r.meta.LogBytes); err != nil {
		return err
	}
	r.pending, err = r.unvalidated()
	return err
}

// updates runs what is left.
func (r *run) updates(ctx context.Context) error {
	batch := int64(r.Config.Batch)
	l := &loader{split: r.train, size: r.net.size, batch: r.Config.Batch, augment: r.Config.Augment, seed: r.Seed, shuffle: true}
	next, stop := l.prefetch(ctx, int64(r.step)*batch, r.total-r.step, r.Config.Workers)
	defer stop()
	if r.pending {
		if err := r.after(ctx); err != nil {
			return err
		}
	}
	for r.step < r.total {
		b, err := next()
		if err != nil {
			if ctx.Err() != nil {
				return r.interrupted(ctx)
			}
			return err
		}
		rec, err := r.one(b)
		b.free()
		if err != nil {
			return err
		}
		if err := r.log.add(rec); err != nil {
			return err
		}
		r.Progress(r.step, r.total)
		if err := r.after(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return r.interrupted(ctx)
		}
	}
	return nil
}

// one is one update.
func (r *run) one(b *batch) (Record, error) {
	rate := rateAt(r.Config, r.step, r.total, r.perEpoch)
	out, err := call(r.update, b.images, b.targets, b.known, float32(rate), float32(r.step+1))
	if err != nil {
		return Record{}, err
	}
	r.step++
	rec := Record{Step: r.step, Loss: float64(out[0][0]), LR: rate, GradNorm: float64(out[1][0])}
	if sum := rec.Loss + rec.GradNorm; math.IsNaN(sum) || math.IsInf(sum, 0) {
		err := fmt.Errorf("update %d: the loss is %g and the gradient %g: images %s; the last checkpoint is of step %d. Lower finetune_clip.lr (%g), or look at these images",
			r.step, rec.Loss, rec.GradNorm, strings.Join(b.ids, ", "), r.meta.Step, r.Config.LR)
		return rec, errors.Join(err, r.log.add(Record{Step: r.step, Event: err.Error()}))
	}
	return rec, nil
}

// predict returns the probabilities of a batch, [batch · classes].
func (r *run) predict(b *batch) ([]float32, error) {
	out, err := call(r.forward, b.images)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// call runs a graph and copies its results, floats, to the host.
func call(exec *model.Exec, in ...any) (values [][]float32, err error) {
	var out []*tensors.Tensor
	if caught := exceptions.TryCatch[error](func() { out, err = exec.Call(in...) }); caught != nil {
		err = caught
	}
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

// validates tells whether the current step is followed by a validation.
func (r *run) validates() bool {
	every := r.Config.ValEvery * r.perEpoch
	return r.val != nil && r.step > 0 && (r.step == r.total || every > 0 && r.step%every == 0)
}

// unvalidated tells whether the current step lacks its validation in the log.
func (r *run) unvalidated() (bool, error) {
	if !r.validates() {
		return false, nil
	}
	log, err := ReadLog(filepath.Join(r.OutDir, LogFile))
	return !slices.ContainsFunc(log, func(rec Record) bool { return rec.Step == r.step && rec.Val != nil }), err
}

// after validates and saves where the update just done calls for it.
func (r *run) after(ctx context.Context) error {
	if r.validates() {
		scores, err := r.score(ctx, r.val)
		if ctx.Err() != nil {
			return r.interrupted(ctx) // the next call begins with this validation
		}
		if err != nil {
			return err
		}
		m, err := measure(r.val, scores)
		if err != nil {
			return err
		}
		if err := r.log.add(Record{Step: r.step, Val: m}); err != nil {
			return err
		}
		r.Log(fmt.Sprintf("step %d: mAP %.2f %% on %d images", r.step, 100*m.MAP, m.Images))
		if r.meta.BestStep == 0 || m.MAP > r.meta.BestMIoU {
			r.meta.BestStep, r.meta.BestMIoU = r.step, m.MAP // the field holds the measure of this training
		}
	}
	if r.regular(r.step) || r.meta.BestStep == r.step {
		return r.save()
	}
	return nil
}

// regular tells the steps that an undisturbed run saves.
func (r *run) regular(step int) bool {
	every := r.Config.CheckpointEvery
	if every == 0 {
		every = r.perEpoch
	}
	return step%every == 0 || step == r.total
}

func (r *run) save() error {
	size, err := r.log.sync()
	if err != nil {
		return err
	}
	r.meta.Step, r.meta.LogBytes, r.meta.Drawn = r.step, size, int64(r.step)*int64(r.Config.Batch)
	r.meta.Epoch = r.meta.Drawn / int64(len(r.train.ids))
	values, err := r.net.state()
	if err != nil {
		return err
	}
	if r.last, err = checkpoints.Save(r.OutDir, r.meta, values); err != nil {
		return err
	}
	return checkpoints.Prune(r.OutDir, r.Config.Keep, r.regular, r.meta.BestStep)
}

func (r *run) interrupted(ctx context.Context) error {
	if r.step > r.meta.Step {
		if err := r.save(); err != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
	r.Log(fmt.Sprintf("stopped after step %d of %d; the same command goes on from there", r.step, r.total))
	return context.Cause(ctx)
}

// result exports the best checkpoint and says what came out.
func (r *run) result() (*Result, error) {
	res := &Result{Best: r.last, BestStep: r.step, Steps: r.step, From: r.from, Skipped: r.from == r.total,
		Classifier: filepath.Join(r.OutDir, ClassifierFile)}
	log, err := ReadLog(filepath.Join(r.OutDir, LogFile))
	if err != nil {
		return nil, err
	}
	if r.meta.BestStep > 0 {
		res.BestStep, res.Best = r.meta.BestStep, filepath.Join(r.OutDir, checkpoints.FileName(r.meta.BestStep))
	}
	for _, rec := range log {
		if rec.Val != nil && rec.Step == res.BestStep {
			res.Val = rec.Val
		}
	}
	c, err := checkpoints.Open(res.Best)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return res, r.export(c, res)
}
