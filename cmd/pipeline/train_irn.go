package pipeline

import (
	"context"
	"errors"
	"fmt"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data/words"
	"wsss/train"
	"wsss/train/irn"
)

// TrainIRN is the whole command, for a run that needs its network, too.
func (p *Run) TrainIRN(ctx context.Context) (err error) {
	c := p.Config.IRN
	if c.Labels == "" {
		return InFile(p.File, UsageError{Err: errors.New("irn.labels is missing: the folder of confident labels, such as those of gen method crf with preset = \"irn\" and confident = [0.30, 0.05]")})
	}
	job := irn.Job{
		Dataset: p.Dataset, Split: p.Config.Data.TrainSplit, LabelsDir: c.Labels,
		Config: c, Seed: p.Config.Seed, OutDir: p.Path("irn"),
		ConfigHash: p.Config.IRNHash(), Versions: Versions(), Hashes: p.hashes,
		Log: func(line string) { p.Say("  %s", line) }, Warn: func(line string) { p.Alert("  %s", line) },
	}
	if job.Backend, err = p.OpenBackend(); err != nil {
		return err
	}
	var res *irn.Result
	err = p.Step(ctx, "train irn", func(progress func(done, total int)) error {
		err := Updating.while(progress, func(progress func(done, total int)) (err error) {
			job.Progress = progress
			res, err = irn.Run(ctx, job)
			return err
		})
		if errors.Is(err, train.ErrOtherRun) {
			return fmt.Errorf("%w; -set out=… keeps both", err)
		}
		return err
	})
	p.saveHashes()
	if err != nil {
		return err
	}
	p.Say("loss %.4f after %s; network: %s", res.Loss, words.Plural(res.Steps, "update"), files.Address(res.Network))
	return files.WriteJSON(p.Path("irn", resultFile), struct {
		*irn.Result
		Config string `json:"config"` // hash of what it was trained by
	}{res, job.ConfigHash})
}

// irn plans wsss train-irn.
func (p *Plan) irn() error {
	c, d := p.Config.IRN, p.Config.Data
	images, err := p.splitOf("train on", d, d.TrainSplit)
	if err != nil {
		return err
	}
	needs := startNeeds(c.Init)
	if c.Labels != "" {
		needs.Files = append(needs.Files, c.Labels)
	}
	if err := p.list(needs); err != nil {
		return err
	}
	fmt.Fprintln(p.Print, "\nsteps")
	what := "boundaries"
	if c.Kind == configs.KindAffinityNet {
		what = "affinities"
	}
	p.step("train", what+" on %s ×%g, %d epochs of batch %d, lr %g, crop %d, from %s → %s",
		c.Backbone, c.Width, c.Epochs, c.Batch, c.LR, c.Crop, c.Labels, p.Path("irn"))
	p.updates(images, c.Epochs, c.Batch)
	return nil
}
