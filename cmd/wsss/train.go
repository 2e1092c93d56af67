package main

import (
	"context"
	"errors"
	"fmt"

	"wsss/configs"
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
same weights; finished, it does nothing.

  wsss train -config my.toml
  wsss train -config my.toml -net bound           on the true masks
  wsss train -config my.toml -set train.batch=8 -backend xla:cuda`

func runTrain(ctx context.Context, args []string) error {
	f := newFlags("train", trainIntro).withConfig()
	restart := f.Bool("restart", false, "replace a training of another config or of other labels")
	net := f.String("net", "", "only this `network`: pseudo (on train.labels) or bound (on the true masks)")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	p.restart = *restart
	nets := p.networks()
	switch *net {
	case "":
	case netPseudo, netBound:
		nets = []string{*net}
	default:
		return usagef("train: -net %s: allowed are %s, %s", *net, netPseudo, netBound)
	}
	for _, n := range nets {
		if err := p.train(ctx, n); err != nil {
			return err
		}
	}
	return nil
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
	if _, ok := p.trainLabels(); !ok {
		return []string{netBound}
	}
	if p.cfg.Train.Bound {
		return []string{netPseudo, netBound}
	}
	return []string{netPseudo}
}

// checkStart refuses what cannot learn: frozen batch-norm statistics are those
// of the initial weights, and random weights have none.
func checkStart(t configs.Train) error {
	if t.BatchNorm == "frozen" && t.Init == "" {
		return usagef("train.batch_norm = \"frozen\" keeps the statistics of the initial weights, and train.init is empty: name a weights file, or start from random weights with train.batch_norm = \"train\"")
	}
	return nil
}

// train fits one network, or takes up where it stopped.
func (p *pipeline) train(ctx context.Context, net string) error {
	if err := checkStart(p.cfg.Train); err != nil {
		return err
	}
	job := train.Job{
		Name: net, Dataset: p.ds, Split: p.cfg.Data.TrainSplit, ValSplit: p.valSplit(), Config: p.cfg.Train,
		Val:  train.PredictOptions{Scales: p.cfg.Eval.Scales},
		Seed: p.cfg.Seed, OutDir: p.path("train", net), ConfigHash: p.cfg.TrainHash(), Versions: versions(), Restart: p.restart,
		Log: func(line string) { p.say("  %s", line) },
	}
	if net == netPseudo {
		job.LabelsDir, _ = p.trainLabels()
		if job.LabelsDir == p.labelsDir() {
			if err := checkGenerated(job.LabelsDir); err != nil {
				return err
			}
		}
	}
	var err error
	if job.Backend, err = p.backend(); err != nil {
		return err
	}
	return p.stage(ctx, netTitle(net), func(progress func(done, total int)) error {
		job.Progress = progress
		_, err := train.Run(ctx, job)
		if errors.Is(err, train.ErrOtherRun) {
			return fmt.Errorf("%w; -restart replaces it, -set out=… keeps both", err)
		}
		return err
	})
}

// valSplit is the split to validate on while training, "" for none.
func (p *pipeline) valSplit() string {
	if p.cfg.Train.ValEvery == 0 {
		return ""
	}
	return p.cfg.Data.ValSplit
}
