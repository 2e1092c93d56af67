package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/augment"
	"wsss/data/words"
	"wsss/gen"
	"wsss/models/backend"
	"wsss/models/manifest"
	"wsss/models/weights/formats"
	"wsss/train"
	"wsss/train/parallel"
)

// parts are the stages that a command goes through.
type parts struct{ gen, train, eval bool }

// missingError lists what a command needs and has not got: exit code 3.
type missingError struct {
	lacks []string
	told  bool // they are listed already
}

func (e missingError) Error() string {
	if e.told {
		return fmt.Sprintf("missing before this can run: %s", words.Count(len(e.lacks), "thing, listed above", "things, listed above"))
	}
	return "missing before this can run:\n  " + strings.Join(e.lacks, "\n  ")
}

// preflight checks everything that the parts need before the first image is
// read: the same as -dry-run, which also prints it.
func (p *pipeline) preflight(of parts) error {
	plan := &plan{pipeline: p, w: io.Discard, ds: p.ds}
	if err := plan.check(of); err != nil {
		return err
	}
	if err := plan.describe(of); err != nil {
		return err
	}
	if len(plan.lacks) > 0 {
		return missingError{lacks: plan.lacks}
	}
	return nil
}

// check finds what is wrong with the config, as far as neither data nor weights
// are needed to tell; errors are usage errors.
func (p *plan) check(of parts) error {
	lack, err := backend.Check(p.cfg.Backend)
	if err != nil {
		return inFile(p.file, usageError{err})
	}
	if lack != "" {
		p.lack("%s", lack)
	}
	if of.train && len(p.networks()) > 0 {
		if err := checkTrain(p.pipeline, p.classCount()); err != nil {
			return inFile(p.file, err)
		}
	}
	list := p.of(of)
	if _, err := p.needs(list); err != nil {
		return err
	}
	for _, l := range list {
		if err := gen.CheckFiles(l.Gen); err != nil {
			return p.wrong(l, err)
		}
	}
	return nil
}

// of are the stages one of some parts of a run.
func (p *plan) of(of parts) []labeller {
	var list []labeller
	if of.gen {
		list = p.labellers()
		if !p.labels() && of.train { // a whole run reads its labels from elsewhere
			list = list[1:]
		}
	}
	if of.eval {
		for _, z := range p.cfg.Eval.ZeroShot {
			if p.wants(z.Name) {
				list = append(list, zeroShotLabeller(z))
			}
		}
	}
	return list
}

// checkTrain refuses a [train] that cannot be trained.
func checkTrain(p *pipeline, classes int) error {
	t := p.cfg.Train
	if err := checkStart(t); err != nil {
		return err
	}
	errs := []error{train.CheckBatch(t), parallel.Check("train", t.Devices, t.Batch)}
	_, err := train.NewSegmenter(t, cmp.Or(classes, 2))
	errs = append(errs, err)
	_, err = augment.FromConfig(t)
	errs = append(errs, err)
	if m, err := manifest.Find(t.Init); err == nil && m.Family != "resnet" {
		_, err := manifest.Start(context.Background(), t.Init)
		errs = append(errs, fmt.Errorf("train.network.init: %w", err))
	} else if t.Init != "" && files.Exists(t.Init) {
		src, _, err := formats.OpenStart(t.Init)
		if err == nil {
			err = src.Close()
		} else {
			err = fmt.Errorf("train.network.init: %w", err)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return usageError{err}
	}
	return nil
}

// begins tells whether a network of the run starts from its initial weights:
// one that goes on from a checkpoint needs them no more.
func (p *pipeline) begins() bool {
	for _, net := range p.networks() {
		if list, err := checkpoints.List(p.path("train", net)); err != nil || len(list) == 0 || p.restart {
			return true
		}
	}
	return false
}

// needsEngine tells whether any part of a whole run computes on a backend.
func (p *pipeline) needsEngine(list []labeller) (bool, error) {
	if len(p.networks()) > 0 || len(p.cfg.Eval.ONNX) > 0 || len(p.cfg.Eval.Network) > 0 {
		return true, nil
	}
	for _, l := range list {
		if needs, err := gen.NeedsBackend(l.Gen); needs || err != nil {
			return needs, err
		}
	}
	return false, nil
}

// labelCounts says how many images have what, ", of which …"; of large splits
// it looks at some.
func (p *plan) labelCounts(ids []string) string {
	n, err := data.CountLabels(context.Background(), p.ds, ids, mostCounted)
	if err != nil {
		return "; " + err.Error()
	}
	return ": " + n.String()
}

// mostCounted bounds the images that a plan looks at.
const mostCounted = 2000
