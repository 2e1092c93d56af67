package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"wsss/checkpoints/files/lock"
	"wsss/configs"
	"wsss/data"
	"wsss/data/crash"
	"wsss/models"
	"wsss/models/backend"
	"wsss/train"
)

// NetTitle is what a network is called in tables and curves.
func NetTitle(net string) string {
	if net == NetBound {
		return "trained on true masks"
	}
	return "trained on pseudo-labels"
}

// labelsPacked is the value of train.labels for those in the dataset's tar files.
const labelsPacked = "packed"

// trainLabels is the folder that the network is trained on, false where that
// is the true masks.
func (p *Run) trainLabels() (dir string, ok bool) {
	switch labels := p.Config.Train.Labels; labels {
	case "truth":
		return "", false
	case "":
		return p.labelsDir(), true
	case labelsPacked:
		if d, ok := data.PartedOf(p.Dataset).(interface{ LabelsDir() string }); ok {
			return d.LabelsDir(), true
		}
		return labels, true
	default:
		return labels, true
	}
}

// Networks lists what this config trains.
func (p *Run) Networks() []string {
	if p.Config.Train.Skip {
		return nil
	}
	if _, ok := p.trainLabels(); !ok {
		return []string{NetBound}
	}
	if p.Config.Train.Bound && !p.noBound {
		return []string{NetPseudo, NetBound}
	}
	return []string{NetPseudo}
}

// checkStart refuses what cannot learn: frozen batch-norm statistics are those
// of the initial weights, and random weights have none. What is wrong with the
// network itself is told where it is made.
func checkStart(t configs.Train) error {
	if t.Skip || t.BatchNorm == "train" || t.Init != "" {
		return nil
	}
	if net, err := train.NewSegmenter(t, 2); err == nil && !models.IsNormFree(net) {
		return Usagef("train.network.batch_norm = %q keeps the statistics of the initial weights, and train.network.init is empty: name a weights file, or start from random weights with train.network.batch_norm = \"train\"", t.BatchNorm)
	}
	return nil
}

// CheckNets refuses a network of an unknown name, and one that another process
// trains; "" stands for all that the config trains.
func CheckNets(cfg configs.Config, net string) error {
	nets := []string{net}
	if net == "" {
		nets = (&Run{Config: cfg}).Networks()
	}
	if err := checkFree(cfg, nets...); err != nil {
		return err
	}
	if net != "" && net != NetPseudo && net != NetBound {
		return Usagef("train: -net %s: allowed are %s, %s", net, NetPseudo, NetBound)
	}
	return nil
}

// Train is stage two: it fits the network of a name, or all that the config trains,
// on labels that are as new as their data.
func (p *Run) Train(ctx context.Context, net string) error {
	if err := p.Preflight(Parts{Train: true}); err != nil {
		return err
	}
	if err := p.CheckTruth(net); err != nil {
		return err
	}
	nets := p.Networks()
	if net != "" {
		nets = []string{net}
	}
	if err := p.checkFolders(nets); err != nil { // of the second before the first is fitted
		return err
	}
	if slices.Contains(nets, NetPseudo) {
		if err := p.refreshLabels(ctx); err != nil {
			return err
		}
	}
	return p.TrainAll(ctx, nets)
}

// TrainAll fits networks one after the other, or two small ones side by side:
// the go backend, with one small network, leaves most of the second core idle.
func (p *Run) TrainAll(ctx context.Context, nets []string) error {
	if len(nets) == 0 {
		return nil
	}
	if err := checkStart(p.Config.Train); err != nil {
		return err
	}
	b, err := p.OpenBackend()
	if err != nil {
		return err
	}
	t := p.Config.Train
	if small := t.Batch*t.Crop*t.Crop <= 1<<17; len(nets) == 2 && small && !t.FitBatch && backend.KindOf(b) == backend.Go && runtime.GOMAXPROCS(0) > 1 {
		return p.trainBoth(ctx, nets)
	}
	for _, net := range nets {
		job, err := p.trainJob(net)
		if err != nil {
			return err
		}
		job.Backend = b
		err = p.withBar(ctx, NetTitle(net), func(b Stage) error {
			defer p.shows(&job, b, 0)()
			job.Progress = b.Update
			return p.runNet(ctx, net, job)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// trainBoth fits two networks at once, each with an engine of its own. Neither
// result depends on the other.
func (p *Run) trainBoth(ctx context.Context, nets []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	jobs := make([]train.Job, len(nets))
	for i, net := range nets {
		var err error
		if jobs[i], err = p.trainJob(net); err != nil {
			return err
		}
		// In one order, before either begins: of two processes that each took one, both would be refused.
		if jobs[i].Held, err = lock.Acquire(jobs[i].OutDir, "train"); err != nil {
			return err
		}
		defer jobs[i].Held.Release()
	}
	return p.withBar(ctx, "train two networks", func(b Stage) error {
		var mu sync.Mutex
		done, totals, errs := make([]int, len(nets)), make([]int, len(nets)), make([]error, len(nets))
		for i := range totals {
			totals[i] = p.Config.Train.Iterations
		}
		var wg sync.WaitGroup
		for i, net := range nets {
			defer p.shows(&jobs[i], b, i)()
			jobs[i].Progress = func(n, total int) {
				mu.Lock()
				defer mu.Unlock()
				done[i], totals[i] = n, total
				b.Update(done[0]+done[1], totals[0]+totals[1])
			}
			wg.Go(func() {
				errs[i] = crash.Do(func() error { return p.trainBeside(ctx, net, jobs[i]) })
				if errs[i] != nil {
					cancel() // the other one saves what it has
				}
			})
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
		}
		return errors.Join(errs...)
	})
}

func (p *Run) trainBeside(ctx context.Context, net string, job train.Job) error {
	var err error
	if p.Config.Deterministic {
		backend.Deterministic()
	}
	if job.Backend, err = backend.Open(p.Config.Backend); err != nil {
		return err
	}
	defer job.Backend.Finalize()
	return p.runNet(ctx, net, job)
}

// shows makes the bar tell of a job's updates, until it is ended.
func (p *Run) shows(job *train.Job, b Stage, net int) (end func()) {
	b.Trains(job.Config.Batch * job.Config.Accumulate)
	speed := newSpeedometer(job.OutDir, job.Config.Batch*job.Config.Accumulate)
	job.Updated = func(rec train.Record) {
		speed.tick(rec.Step)
		b.Learned(net, rec.Loss, rec.LR[0])
	}
	return speed.close
}

// runNet trains a network, with the rounds of self-training that the config
// asks for.
func (p *Run) runNet(ctx context.Context, net string, job train.Job) error {
	if net == NetPseudo {
		if err := p.selfRounds(ctx, &job); err != nil {
			return err
		}
	}
	_, err := runJob(ctx, job)
	p.saveHashes()
	return err
}

// trainJob describes the training of one network, all but its engine.
func (p *Run) trainJob(net string) (train.Job, error) {
	job := train.Job{
		Name: net, Dataset: p.Dataset, Split: p.Config.Data.TrainSplit, ValSplit: p.valSplit(), Config: p.Config.Train,
		Val:  train.PredictOptions{Scales: p.Config.Eval.Scales, Bucket: p.Config.Eval.Bucket},
		Seed: p.Config.Seed, OutDir: p.Path("train", net), ConfigHash: p.Config.TrainHash(), Versions: Versions(), Restart: p.Restart, Hashes: p.hashes,
		Log: func(line string) { p.Say("  %s", line) }, Warn: func(line string) { p.Alert("  %s", line) },
	}
	if net == NetPseudo {
		job.LabelsDir, _ = p.trainLabels()
		if job.LabelsDir == p.labelsDir() {
			if err := checkGenerated(job.LabelsDir); err != nil {
				return job, err
			}
		}
		var err error
		if job.IDs, err = p.trainIDs(job.LabelsDir); err != nil {
			return job, err
		}
	}
	return job, nil
}

// runJob trains, or takes up where it stopped.
func runJob(ctx context.Context, job train.Job) (*train.Result, error) {
	var res *train.Result
	err := Updating.while(job.Progress, func(progress func(done, total int)) (err error) {
		job.Progress = progress
		res, err = train.Run(ctx, job)
		return err
	})
	return res, howToReplace(err)
}

// howToReplace adds to ErrOtherRun what helps.
func howToReplace(err error) error {
	if errors.Is(err, train.ErrOtherRun) {
		return fmt.Errorf("%w; -restart replaces it, -set out=… keeps both", err)
	}
	return err
}

// checkFolders refuses a run that would come to a folder of another training after
// all labels are made, or after another network is fitted.
func (p *Run) checkFolders(nets []string) error {
	if p.Restart {
		return nil
	}
	for _, net := range nets {
		if err := train.CheckFolder(p.Path("train", net), p.Config.Train, p.Config.Seed, p.Config.TrainHash()); err != nil {
			return howToReplace(err)
		}
	}
	return nil
}

// valSplit is the split to validate on while training, "" for none.
func (p *Run) valSplit() string {
	split := p.Config.Data.ValSplit
	if p.Config.Train.ValEvery == 0 {
		return ""
	}
	if has, err := p.HasTruth(split); err == nil && !has {
		p.once("no image of split %s has a true mask: trainings are not validated, and their last state is taken", split)
		return ""
	}
	return split
}
