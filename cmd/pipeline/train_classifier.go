package pipeline

import (
	"context"
	"errors"
	"fmt"

	"wsss/checkpoints/files"
	"wsss/train/classifier"
	"wsss/train/multilabel"
)

// TrainClassifier is the whole command, for a run that needs its classifier, too.
func (p *Run) TrainClassifier(ctx context.Context) (err error) {
	job := classifier.Job{
		Dataset: p.Dataset, Split: p.Config.Data.TrainSplit, ValSplit: p.Config.Data.ValSplit,
		Config: p.Config.Classifier, Seed: p.Config.Seed, OutDir: p.Path("classifier"),
		ConfigHash: p.Config.ClassifierHash(), Versions: Versions(), Hashes: p.hashes,
		Log: func(line string) { p.Say("  %s", line) }, Warn: func(line string) { p.Alert("  %s", line) },
	}
	if job.Backend, err = p.OpenBackend(); err != nil {
		return err
	}
	var res *multilabel.Result
	err = p.Step(ctx, "train classifier", func(progress func(done, total int)) error {
		err := Updating.while(progress, func(progress func(done, total int)) (err error) {
			job.Progress = progress
			res, err = classifier.Run(ctx, job)
			return err
		})
		if errors.Is(err, multilabel.ErrOtherRun) {
			return fmt.Errorf("%w; -set out=… keeps both", err)
		}
		return err
	})
	p.saveHashes()
	if err != nil {
		return err
	}
	if m := res.Val; m != nil {
		p.Say("best after %d of %d updates: mAP %.2f %% (VOC 2007: %.2f) on %d images; at the thresholds precision %.1f %%, recall %.1f %%",
			res.BestStep, res.Steps, 100*m.MAP, 100*m.MAP11, m.Images, 100*m.Precision, 100*m.Recall)
	}
	p.Say("classifier: %s", files.Address(res.Classifier))
	return files.WriteJSON(p.Path("classifier", resultFile), struct {
		*multilabel.Result
		Config string `json:"config"` // hash of what it was trained by
	}{res, job.ConfigHash})
}
