package pipeline

import (
	"context"
	"fmt"

	"wsss/configs"
	"wsss/train"
)

// selfRounds trains the rounds before the last: each labels the training
// images with its network, for the next one. It makes job the last round's.
//
//	out/train/round1/   network of round 1
//	out/self/1/         the labels that round 2 learns
func (p *Run) selfRounds(ctx context.Context, job *train.Job) error {
	t := job.Config
	outDir, hash, progress, pseudo := job.OutDir, job.ConfigHash, job.Progress, job.LabelsDir
	ids := job.IDs
	if t.SelfRounds > 0 {
		held, err := Hold(p.Path("self"))
		if err != nil {
			return err
		}
		defer held.Release()
	}
	job.ScoresDir = pseudo
	total := (t.SelfRounds+1)*t.Iterations + t.SelfRounds*len(ids) // updates, and images to label
	from := func(before int) func(done, _ int) {
		return func(done, _ int) { progress(before+done, total) }
	}
	for round := 1; round <= t.SelfRounds; round++ {
		job.OutDir = p.Path("train", fmt.Sprintf("round%d", round))
		job.ConfigHash = roundHash(p.Config, round)
		before := (round - 1) * (t.Iterations + len(ids))
		job.Progress = from(before)
		res, err := runJob(ctx, *job)
		if err != nil {
			return err
		}
		net, err := train.LoadPredictor(job.Backend, res.Checkpoint, job.Val)
		if err != nil {
			return err
		}
		job.LabelsDir, job.LabelsHash = p.Path("self", fmt.Sprint(round)), ""
		err = train.SelfLabel(ctx, net, job.Dataset, job.Split, job.LabelsDir,
			train.SelfOptions{Rule: t.SelfRule, MinScore: t.SelfMin, Tags: true, Labels: pseudo, IDs: ids}, from(before+t.Iterations))
		net.Close()
		if err != nil {
			return err
		}
		if t.SelfRule == "" || t.SelfRule == configs.SelfReplace {
			job.Config.Confidence = "none" // a network's labels have no masks with scores
		}
		if t.SelfStart == "last" {
			job.Config.Init = res.Checkpoint
		}
	}
	job.OutDir, job.ConfigHash = outDir, hash
	job.Progress = from(t.SelfRounds * (t.Iterations + len(ids)))
	return nil
}

// roundHash is the hash of a round that others follow: what comes after it
// does not count, so that the rounds stay when that changes.
func roundHash(c configs.Config, round int) string {
	t := &c.Train
	if t.SelfRounds = round - 1; round == 1 {
		t.SelfMin, t.SelfRule, t.SelfStart = 0, "", ""
	}
	return c.TrainHash()
}
