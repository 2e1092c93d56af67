package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
)

// after saves and validates where the update just done calls for it. What is
// validated is saved before: no failing validation costs an update.
func (r *run) after(ctx context.Context) error {
	if r.validates(r.step) {
		if err := r.save(); err != nil {
			return err
		}
		if err := r.validate(ctx); err != nil {
			return err
		}
	}
	if r.regular(r.step) || r.meta.BestStep == r.step {
		return r.save()
	}
	return nil
}

// pending tells whether there is anything left to do: updates, or a validation
// of the last one, before which the run was killed.
func (r *run) pending() (bool, error) {
	if r.step < r.Config.Iterations {
		return true, nil
	}
	var info runInfo
	if raw, err := files.ReadLimited(filepath.Join(r.OutDir, RunFile), files.MaxRecord); err == nil && json.Unmarshal(raw, &info) == nil && info.Result != nil {
		return false, nil
	}
	return r.unvalidated()
}

// unvalidated tells whether the step that the run goes on from was saved, and
// its validation was not.
func (r *run) unvalidated() (bool, error) {
	if r.step == 0 || !r.validates(r.step) {
		return false, nil
	}
	f, _, err := files.OpenRegular(filepath.Join(r.OutDir, LogFile))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	for dec := json.NewDecoder(io.LimitReader(f, r.meta.LogBytes)); ; {
		var rec Record
		if err := dec.Decode(&rec); err != nil {
			return true, nil // the end; damage is for ReadLog to tell
		}
		if rec.ValMIoU != nil && rec.Step == r.step {
			return false, nil
		}
	}
}

func (r *run) validates(step int) bool {
	every := r.Config.ValEvery.Updates(r.perEpoch())
	return len(r.valIDs) > 0 && (step == r.Config.Iterations || every > 0 && step%every == 0)
}

// regular tells the steps that an undisturbed run saves.
func (r *run) regular(step int) bool {
	return step%r.Config.CheckpointEvery.Updates(r.perEpoch()) == 0 || step == r.Config.Iterations
}

// perEpoch counts the updates in which every image is drawn once.
func (r *run) perEpoch() int {
	return max(1, len(r.ids)/(r.Config.Batch*r.Config.Accumulate))
}

// save writes the checkpoint of the current step, and the curves.
func (r *run) save() error {
	size, err := r.log.Sync()
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
		_ = r.log.Close() // all that matters was synced with the checkpoint
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
