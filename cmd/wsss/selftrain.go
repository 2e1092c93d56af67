package main

import (
	"context"
	"fmt"

	"wsss/train"
)

// selfRounds trains the rounds before the last: each labels the training
// images with its network, for the next one. It makes job the last round's.
//
//	out/train/round1/   network of round 1
//	out/self/1/         its labels of the training images
func (p *pipeline) selfRounds(ctx context.Context, job *train.Job) error {
	t := job.Config
	outDir, progress := job.OutDir, job.Progress
	for round := 1; round <= t.SelfRounds; round++ {
		job.OutDir = p.path("train", fmt.Sprintf("round%d", round))
		job.Progress = func(done, total int) { progress((round-1)*total+done, (t.SelfRounds+1)*total) }
		res, err := runJob(ctx, *job)
		if err != nil {
			return err
		}
		net, err := train.LoadPredictor(job.Backend, res.Checkpoint, job.Val)
		if err != nil {
			return err
		}
		job.LabelsDir, job.LabelsHash = p.path("self", fmt.Sprint(round)), ""
		err = train.SelfLabel(ctx, net, job.Dataset, job.Split, job.LabelsDir, train.SelfOptions{Tags: true, MinScore: t.SelfMin}, nil)
		net.Close()
		if err != nil {
			return err
		}
		job.Config.Confidence = "none" // a network's labels have no masks with scores
	}
	job.OutDir = outDir
	job.Progress = func(done, total int) { progress(t.SelfRounds*total+done, (t.SelfRounds+1)*total) }
	return nil
}
