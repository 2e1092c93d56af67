package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"wsss/configs"
	"wsss/data/crash"
	"wsss/models/backend"
	"wsss/train"
)

func init() {
	register(command{name: "train", short: "stage two: a segmentation network from label masks", run: runTrain})
}

const trainIntro = `
wsss train fits the network of [train] on the pseudo-labels of OUT/gen, or on
any folder of label PNGs (train.labels = "folder", or "truth" for the true
masks). It writes checkpoints, a metrics log and curves below OUT/train/NET.
Killed and begun again, it goes on from the last checkpoint and ends with the
same weights; finished, it does nothing. Where labels, photos or true masks have
changed since, it says so and trains again.

  wsss train -config my.toml
  wsss train -config my.toml -net bound           on the true masks
  wsss train -config my.toml -set train.batch=8 -backend xla:cuda`

func runTrain(ctx context.Context, args []string) error {
	f := newFlags("train", trainIntro).withConfig()
	restart := f.Bool("restart", false, "replace a training of another config or of another folder of labels")
	keep := f.Bool("keep-going", false, "train on the images that have a label map, also where others lack theirs because labelling them failed")
	net := f.String("net", "", "only this `network`: pseudo (on train.labels) or bound (on the true masks)")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	cfg, err := f.load()
	if err == nil && *net != "" {
		err = checkFree(cfg, *net)
	} else if err == nil {
		err = checkFree(cfg, (&pipeline{cfg: cfg}).networks()...) // before anything is written
	}
	if err != nil {
		return err
	}
	if n := *net; n != "" && n != netPseudo && n != netBound {
		return usagef("train: -net %s: allowed are %s, %s", n, netPseudo, netBound)
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	p.restart, p.keepGoing = *restart, *keep
	if err := p.preflight(parts{train: true}); err != nil {
		return err
	}
	if err := p.checkTruth(*net); err != nil {
		return err
	}
	nets := p.networks()
	if *net != "" {
		nets = []string{*net}
	}
	if slices.Contains(nets, netPseudo) {
		if err := p.refreshLabels(ctx); err != nil {
			return err
		}
	}
	return p.trainAll(ctx, nets)
}

// netTitle is what a network is called in tables and curves.
func netTitle(net string) string {
	if net == netBound {
		return "trained on true masks"
	}
	return "trained on pseudo-labels"
}

// trainLabels is the folder that the network is trained on, false where that
// is the true masks.
func (p *pipeline) trainLabels() (dir string, ok bool) {
	switch labels := p.cfg.Train.Labels; labels {
	case "truth":
		return "", false
	case "":
		return p.labelsDir(), true
	default:
		return labels, true
	}
}

// networks lists what this config trains.
func (p *pipeline) networks() []string {
	if p.cfg.Train.Skip {
		return nil
	}
	if _, ok := p.trainLabels(); !ok {
		return []string{netBound}
	}
	if p.cfg.Train.Bound && !p.noBound {
		return []string{netPseudo, netBound}
	}
	return []string{netPseudo}
}

// checkStart refuses what cannot learn: frozen batch-norm statistics are those
// of the initial weights, and random weights have none.
func checkStart(t configs.Train) error {
	if !t.Skip && t.BatchNorm != "train" && t.Init == "" {
		return usagef("train.network.batch_norm = %q keeps the statistics of the initial weights, and train.network.init is empty: name a weights file, or start from random weights with train.network.batch_norm = \"train\"", t.BatchNorm)
	}
	return nil
}

// trainAll fits networks one after the other, or two small ones side by side:
// the go backend, with one small network, leaves most of the second core idle.
func (p *pipeline) trainAll(ctx context.Context, nets []string) error {
	if len(nets) == 0 {
		return nil
	}
	if err := checkStart(p.cfg.Train); err != nil {
		return err
	}
	b, err := p.backend()
	if err != nil {
		return err
	}
	t := p.cfg.Train
	if small := t.Batch*t.Crop*t.Crop <= 1<<17; len(nets) == 2 && small && backend.KindOf(b) == backend.Go && runtime.GOMAXPROCS(0) > 1 {
		return p.trainBoth(ctx, nets)
	}
	for _, net := range nets {
		job, err := p.trainJob(net)
		if err != nil {
			return err
		}
		job.Backend = b
		err = p.withBar(ctx, netTitle(net), func(b stage) error {
			p.shows(&job, b, 0)
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
func (p *pipeline) trainBoth(ctx context.Context, nets []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	jobs := make([]train.Job, len(nets))
	for i, net := range nets {
		var err error
		if jobs[i], err = p.trainJob(net); err != nil {
			return err
		}
	}
	return p.withBar(ctx, "train two networks", func(b stage) error {
		var mu sync.Mutex
		done, totals, errs := make([]int, len(nets)), make([]int, len(nets)), make([]error, len(nets))
		for i := range totals {
			totals[i] = p.cfg.Train.Iterations
		}
		var wg sync.WaitGroup
		for i, net := range nets {
			p.shows(&jobs[i], b, i)
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

func (p *pipeline) trainBeside(ctx context.Context, net string, job train.Job) error {
	var err error
	if p.cfg.Deterministic {
		backend.Deterministic()
	}
	if job.Backend, err = backend.Open(p.cfg.Backend); err != nil {
		return err
	}
	defer job.Backend.Finalize()
	return p.runNet(ctx, net, job)
}

// shows makes the bar tell of a job's updates.
func (p *pipeline) shows(job *train.Job, b stage, net int) {
	b.Trains(job.Config.Batch * job.Config.Accumulate)
	job.Updated = func(rec train.Record) { b.Learned(net, rec.Loss, rec.LR[0]) }
}

// runNet trains a network, with the rounds of self-training that the config
// asks for.
func (p *pipeline) runNet(ctx context.Context, net string, job train.Job) error {
	if net == netPseudo {
		if err := p.selfRounds(ctx, &job); err != nil {
			return err
		}
	}
	_, err := runJob(ctx, job)
	p.saveHashes()
	return err
}

// trainJob describes the training of one network, all but its engine.
func (p *pipeline) trainJob(net string) (train.Job, error) {
	job := train.Job{
		Name: net, Dataset: p.ds, Split: p.cfg.Data.TrainSplit, ValSplit: p.valSplit(), Config: p.cfg.Train,
		Val:  train.PredictOptions{Scales: p.cfg.Eval.Scales, Bucket: p.cfg.Eval.Bucket},
		Seed: p.cfg.Seed, OutDir: p.path("train", net), ConfigHash: p.cfg.TrainHash(), Versions: versions(), Restart: p.restart, Hashes: p.hashes,
		Log: func(line string) { p.say("  %s", line) }, Warn: func(line string) { p.alert("  %s", line) },
	}
	if net == netPseudo {
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
	err := updating.while(job.Progress, func(progress func(done, total int)) (err error) {
		job.Progress = progress
		res, err = train.Run(ctx, job)
		return err
	})
	if errors.Is(err, train.ErrOtherRun) {
		return nil, fmt.Errorf("%w; -restart replaces it, -set out=… keeps both", err)
	}
	return res, err
}

// valSplit is the split to validate on while training, "" for none.
func (p *pipeline) valSplit() string {
	split := p.cfg.Data.ValSplit
	if p.cfg.Train.ValEvery == 0 {
		return ""
	}
	if has, err := p.hasTruth(split); err == nil && !has {
		p.once("no image of split %s has a true mask: trainings are not validated, and their last state is taken", split)
		return ""
	}
	return split
}
