package main

import (
	"context"
	"errors"
	"fmt"

	"wsss/checkpoints/files"
	"wsss/train/classifier"
	"wsss/train/multilabel"
)

func init() {
	register(command{name: "train-classifier", short: "train the ResNet classifier behind class activation maps, from image tags", run: runTrainClassifier})
}

const trainClassifierIntro = `
wsss train-classifier trains a ResNet on image tags by the table [classifier] of
the config, as IRN does (docs/cam.md). It writes checkpoints and a log below
OUT/classifier, and at the end the best one as classifier.safetensors, in
PyTorch's names, with classifier.json: classes, scores, a threshold for each.
Killed and begun again, it goes on from the last checkpoint and ends with the
same bytes; finished, it does nothing.

The gen method "cam" takes the file, and every method that refines takes "cam"
as a source of scores.

  wsss train-classifier -config configs/scenes_cam.toml
  wsss gen -config configs/scenes_cam.toml`

func runTrainClassifier(ctx context.Context, args []string) error {
	f := newFlags("train-classifier", trainClassifierIntro).withConfig()
	if err := f.parse(args, 0); err != nil {
		return err
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	return p.trainClassifier(ctx)
}

// trainClassifier is the whole command, for a run that needs its classifier, too.
func (p *pipeline) trainClassifier(ctx context.Context) (err error) {
	job := classifier.Job{
		Dataset: p.ds, Split: p.cfg.Data.TrainSplit, ValSplit: p.cfg.Data.ValSplit,
		Config: p.cfg.Classifier, Seed: p.cfg.Seed, OutDir: p.path("classifier"),
		ConfigHash: p.cfg.ClassifierHash(), Versions: versions(), Hashes: p.hashes,
		Log: func(line string) { p.say("  %s", line) }, Warn: func(line string) { p.alert("  %s", line) },
	}
	if job.Backend, err = p.backend(); err != nil {
		return err
	}
	var res *multilabel.Result
	err = p.stage(ctx, "train classifier", func(progress func(done, total int)) error {
		err := updating.while(progress, func(progress func(done, total int)) (err error) {
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
		p.say("best after %d of %d updates: mAP %.2f %% (VOC 2007: %.2f) on %d images; at the thresholds precision %.1f %%, recall %.1f %%",
			res.BestStep, res.Steps, 100*m.MAP, 100*m.MAP11, m.Images, 100*m.Precision, 100*m.Recall)
	}
	p.say("classifier: %s", res.Classifier)
	return files.WriteJSON(p.path("classifier", resultFile), struct {
		*multilabel.Result
		Config string `json:"config"` // hash of what it was trained by
	}{res, job.ConfigHash})
}
