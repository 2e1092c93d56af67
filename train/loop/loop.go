// Package loop is the training loop that all trainings share: it resumes,
// updates, logs, validates, saves, and stops. What is trained is a Task. A
// training that is killed goes on from its last checkpoint and ends with the
// same bytes as an undisturbed one.
package loop

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints"
	"wsss/data/crash"
	"wsss/train/lineage"
	"wsss/train/runlog"
)

// Task is a network in training.
type Task interface {
	// Begin makes what updates need, those after step among them in the
	// background; end frees it.
	Begin(ctx context.Context, step int) (end func(), err error)
	// Update makes an update, counted from 0. It changes no variable before all
	// its images are there, so that an interrupted one leaves none half-done. A
	// loss or gradient that is not finite is a *NotFiniteError, or just returned.
	Update(step int) (Update, error)
	// State lists the variables to save, by their names in a checkpoint.
	State() (map[string]*tensors.Tensor, error)
	// Restore gives the variables the values of a checkpoint.
	Restore(c *checkpoints.Checkpoint) error
	// Validate judges the network as it stands.
	Validate(ctx context.Context, step int) (Validation, error)
}

// Update is what an update came to.
type Update struct {
	Loss, GradNorm float64
	IDs            []string // of its images
	Record         any      // its line of the log
}

// Validation is what a validation came to.
type Validation struct {
	Value  float64 // of Loop.Measure, 0 to 1: the highest is the best
	Text   string  // for people: "validation mIoU 61.20 % on 40 images"
	Record any     // its line of the log
}

// NotFiniteError is a loss or gradient that is lost.
type NotFiniteError struct {
	What  string // "loss", "gradient"
	Value float64
	IDs   []string
}

func (e *NotFiniteError) Error() string { return fmt.Sprintf("the %s is %g", e.What, e.Value) }

// Hook is called along a training; fields may be nil.
type Hook struct {
	// Updated takes an update after it was logged; an error stops the training,
	// and is its last line in the log.
	Updated func(step int, u Update) error
	// Logged takes every line of the log.
	Logged func(record any) error
	// Saved is called after every checkpoint, and again for a training that was
	// finished before.
	Saved func() error
}

// Loop is one training.
type Loop struct {
	Task
	Table  string // of the config, for errors: "train"
	Dir    string // checkpoints and log go here
	Total  int    // updates
	Drawn  int    // images per update
	Images int    // of the split
	LR     float64

	SaveEvery, ValEvery int  // updates between; 0 = at the end alone
	Validates           bool // there is something to validate on
	Keep                int  // checkpoints kept beside the last and the best
	// Ahead begins the next update while the log, the hooks and the progress deal
	// with the one before: for engines that compute beside the host. An update
	// that is saved or validated is always the last.
	Ahead    bool
	Patience int    // validations without a better one that end the training; 0 = none do
	Measure  string // what Validation.Value is: "mIoU"

	Identity

	Hooks    []Hook
	Progress func(done, total int) // after every update
	Log      func(string)          // notes for a person
	Warn     func(string)          // of damage, and of work that is not as before

	// Event makes the log's line of why a training stops.
	Event func(step int, text string) any
	// Validated tells whether a line of the log is a validation after a step.
	Validated func(line []byte, step int) bool

	Meta checkpoints.Meta // of the last checkpoint
	Last string           // its path
	Step int              // updates done
	From int              // … when this call began

	log     *runlog.Log
	pending bool // the validation of Step was cut off
}

// Identity is what makes a training this one.
type Identity struct {
	// Meta that a new training begins with: hashes of config, labels, data and
	// initial weights, classes, seed.
	New checkpoints.Meta
	// Data is what is learnt of the images, and judged on.
	Data lineage.Record
	// Same tells whether a checkpoint is of this config and start.
	Same func(m checkpoints.Meta) bool
	// Describe tells trainings apart in an error.
	Describe func(m checkpoints.Meta) string
	// Changes names the keys by which a checkpoint's training differs; may be nil.
	Changes func(m checkpoints.Meta) []string
	Restart bool // replace another training
	// Done tells whether the result of all updates was written; nil where none is.
	Done func() bool
	// Files are what a training writes beside checkpoints, log and data.
	Files []string
}

// Finished tells whether nothing is left to do.
func (l *Loop) Finished() bool { return (l.Step >= l.Total || l.exhausted()) && !l.pending }

// exhausted tells whether the last validations, the one of this step among them,
// were no better than one before.
func (l *Loop) exhausted() bool {
	return l.Patience > 0 && l.Meta.BestStep > 0 && l.validates(l.Step) && l.Step-l.Meta.BestStep >= l.Patience*l.ValEvery
}

// Run makes the updates that are left. When ctx ends it saves a checkpoint after
// the update that was begun and returns the context's error.
func (l *Loop) Run(ctx context.Context) error {
	if err := l.openLog(); err != nil {
		return err
	}
	defer l.log.Close() //nolint:errcheck // all that matters was synced with the checkpoint
	if l.pending {
		if err := l.after(ctx); err != nil {
			return err
		}
	}
	if l.Finished() {
		return nil
	}
	end, err := l.Begin(ctx, l.Step)
	if err != nil {
		return err
	}
	defer end()
	var ahead <-chan outcome
	defer func() {
		if ahead != nil { // nobody wants it any more
			<-ahead
		}
	}()
	for !l.Finished() {
		if ahead == nil {
			ahead = l.begin(l.Step)
		}
		o := <-ahead
		ahead = nil
		if o.err != nil && ctx.Err() != nil && errors.Is(o.err, ctx.Err()) {
			return l.interrupted(ctx)
		}
		if err := l.lost(o); err != nil {
			return err
		}
		l.Step++
		if l.Ahead && ctx.Err() == nil && l.Step < l.Total && !l.validates(l.Step) && !l.regular(l.Step) {
			ahead = l.begin(l.Step)
		}
		if err := l.updated(o.update); err != nil {
			return err
		}
		if err := l.after(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil && ahead == nil {
			return l.interrupted(ctx)
		}
	}
	return nil
}

// outcome is what became of an update.
type outcome struct {
	update Update
	err    error
}

// begin makes an update in the background.
func (l *Loop) begin(step int) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		o.err = crash.Do(func() (err error) {
			o.update, err = l.Update(step)
			return err
		})
		done <- o
	}()
	return done
}

// lost is the error that ends the training with an update, if any.
func (l *Loop) lost(o outcome) error {
	err := o.err
	if err == nil {
		err = finite(o.update)
	}
	var lost *NotFiniteError
	if errors.As(err, &lost) {
		return l.stop(l.Step+1, fmt.Errorf("update %d: %w: images %s; the last checkpoint is of step %d. Lower %s.optimizer.lr (%g), or look at these images and their labels",
			l.Step+1, lost, strings.Join(lost.IDs, ", "), l.Meta.Step, l.Table, l.LR))
	}
	return err
}

// updated tells the log, the hooks and the user of the update just made.
func (l *Loop) updated(u Update) error {
	if err := l.record(u.Record); err != nil {
		return err
	}
	for _, h := range l.Hooks {
		if h.Updated == nil {
			continue
		}
		if err := h.Updated(l.Step, u); err != nil {
			return l.stop(l.Step, err)
		}
	}
	l.Progress(l.Step, l.Total)
	return nil
}

func finite(u Update) error {
	for _, x := range []struct {
		what  string
		value float64
	}{{"loss", u.Loss}, {"gradient", u.GradNorm}} {
		if !Finite(x.value) {
			return &NotFiniteError{What: x.what, Value: x.value, IDs: u.IDs}
		}
	}
	return nil
}

// Finite tells numbers from what overflowed.
func Finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// stop writes why a training ends into its log. The checkpoint before stays the
// newest.
func (l *Loop) stop(step int, err error) error {
	return errors.Join(err, l.record(l.Event(step, err.Error())))
}

// record writes a line of the log.
func (l *Loop) record(rec any) error {
	for _, h := range l.Hooks {
		if h.Logged == nil {
			continue
		}
		if err := h.Logged(rec); err != nil {
			return err
		}
	}
	return l.log.Add(rec)
}

// after saves and validates where the update just done calls for it. What is
// validated is saved before: no failing validation costs an update.
func (l *Loop) after(ctx context.Context) error {
	if l.validates(l.Step) {
		if err := l.save(); err != nil {
			return err
		}
		v, err := l.Validate(ctx, l.Step)
		if err != nil && ctx.Err() != nil {
			return l.interrupted(ctx) // the next call begins with this validation
		}
		if err != nil {
			return err
		}
		if err := l.record(v.Record); err != nil {
			return err
		}
		l.Log(fmt.Sprintf("step %d: %s", l.Step, v.Text))
		if l.Meta.BestStep == 0 || v.Value > l.Meta.Best {
			l.Meta.BestStep, l.Meta.Best, l.Meta.Measure = l.Step, v.Value, l.Measure
		}
		l.pending = false
	}
	if l.exhausted() && l.Step < l.Total {
		l.Log(fmt.Sprintf("stopped after step %d of %d: the best of the last %d validations is no better than that of step %d", l.Step, l.Total, l.Patience, l.Meta.BestStep))
	}
	if l.regular(l.Step) || l.Meta.BestStep == l.Step || l.exhausted() {
		return l.save()
	}
	return nil
}

func (l *Loop) validates(step int) bool {
	return l.Validates && step > 0 && (step == l.Total || l.ValEvery > 0 && step%l.ValEvery == 0)
}

// regular tells the steps that an undisturbed run saves.
func (l *Loop) regular(step int) bool {
	return step == l.Total || l.SaveEvery > 0 && step%l.SaveEvery == 0
}

// interrupted saves where the training stands.
func (l *Loop) interrupted(ctx context.Context) error {
	if l.Step > l.Meta.Step {
		if err := l.save(); err != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
	l.Log(fmt.Sprintf("stopped after step %d of %d; the same command goes on from there", l.Step, l.Total))
	return context.Cause(ctx)
}

// save writes the checkpoint of the current step.
func (l *Loop) save() error {
	size, err := l.log.Sync()
	if err != nil {
		return err
	}
	l.Meta.Step, l.Meta.Drawn, l.Meta.LogBytes = l.Step, int64(l.Step)*int64(l.Drawn), size
	l.Meta.Epoch = l.Meta.Drawn / int64(l.Images)
	values, err := l.State()
	if err != nil {
		return err
	}
	if l.Last, err = checkpoints.Save(l.Dir, l.Meta, values); err != nil {
		return err
	}
	return l.Tidy()
}

// Tidy removes old checkpoints, and calls the hooks of a save. Had a training
// been killed right after its last checkpoint, it makes up for what follows one.
func (l *Loop) Tidy() error {
	if err := checkpoints.Prune(l.Dir, l.Keep, l.regular, l.Meta.BestStep); err != nil {
		return err
	}
	for _, h := range l.Hooks {
		if h.Saved == nil {
			continue
		}
		if err := h.Saved(); err != nil {
			return err
		}
	}
	return nil
}

// Best is the path of the best checkpoint, and its step: the last where no
// validation ran.
func (l *Loop) Best() (path string, step int) {
	if l.Meta.BestStep == 0 {
		return l.Last, l.Step
	}
	return filepath.Join(l.Dir, checkpoints.FileName(l.Meta.BestStep)), l.Meta.BestStep
}
