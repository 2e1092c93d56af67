package train

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/files"
)

// State is loop.Task's.
func (r *run) State() (map[string]*tensors.Tensor, error) {
	values, err := r.net.state()
	if err == nil && r.early != nil {
		maps.Copy(values, r.early.State())
	}
	return values, err
}

// drawCurves draws the log.
func (r *run) drawCurves() error {
	log, err := ReadLog(filepath.Join(r.OutDir, LogFile))
	if err != nil {
		return err
	}
	return writeCurves(r.OutDir, r.Name, log)
}

// described reads what an earlier call wrote about the training into its folder.
func (r *run) described() (info runInfo, ok bool) {
	raw, err := files.ReadLimited(filepath.Join(r.OutDir, RunFile), files.MaxRecord)
	return info, err == nil && json.Unmarshal(raw, &info) == nil
}

// finished is the result of a training that an earlier call completed. Where that
// call was killed after its last checkpoint and before it wrote the result, this
// one writes it.
func (r *run) finished() (*Result, error) {
	if err := r.loop.Tidy(); err != nil {
		return nil, err
	}
	res, err := r.result()
	if err != nil {
		return nil, err
	}
	res.Skipped = true
	if info, ok := r.described(); !ok || info.Result == nil {
		return res, r.describe(res)
	}
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
	step, meta := r.loop.Step, r.loop.Meta
	res := &Result{Checkpoint: r.loop.Last, Steps: step, From: r.loop.From, BestMIoU: meta.Best, BestStep: meta.BestStep}
	res.Best, _ = r.loop.Best()
	n := 0
	for _, rec := range log {
		if len(rec.LR) > 0 && rec.Step > step-max(step/10, 1) {
			res.Loss += rec.Loss
			n++
		}
		if rec.ValMIoU != nil && rec.Step == step {
			res.ValMIoU = *rec.ValMIoU
		}
	}
	res.Loss /= float64(max(n, 1))
	if !r.began.IsZero() {
		res.Seconds = time.Since(r.began).Seconds()
		res.PerSecond = float64((step-r.loop.From)*r.Config.Batch*r.Config.Accumulate) / res.Seconds
	}
	return res, nil
}

func (r *run) close() {
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
