package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/augment"
	"wsss/gen"
	"wsss/models/backend"
	"wsss/models/manifest"
	"wsss/models/weights/formats"
	"wsss/train"
	"wsss/train/parallel"
)

// Parts are the stages that a command goes through.
type Parts struct{ Gen, Train, Eval bool }

// Preflight checks everything that the parts need before the first image is
// read: the same as -dry-run, which also prints it.
func (p *Run) Preflight(of Parts) error {
	plan := &Plan{Run: p, Print: io.Discard}
	if err := plan.check(of); err != nil {
		return err
	}
	if err := plan.describe(of); err != nil {
		return err
	}
	if len(plan.Lacks) > 0 {
		return MissingError{Lacks: plan.Lacks}
	}
	return nil
}

// check finds what is wrong with the config, as far as neither data nor weights
// are needed to tell; errors are usage errors.
func (p *Plan) check(of Parts) error {
	if _, err := backend.AskedAtOnce(); err != nil {
		return UsageError{Err: err}
	}
	lack, err := backend.Check(p.Config.Backend)
	if err != nil {
		return InFile(p.File, UsageError{Err: err})
	}
	if lack != "" {
		p.lack("%s", lack)
	}
	if of.Train && len(p.Networks()) > 0 {
		if err := checkTrain(p.Run, p.classCount()); err != nil {
			return InFile(p.File, err)
		}
	}
	if of == (Parts{Gen: true, Train: true, Eval: true}) {
		if err := p.checkFolders(p.Networks()); err != nil {
			return err
		}
	}
	if of.Eval {
		if err := checkRows(p.Config.Eval.Rows); err != nil {
			return InFile(p.File, err)
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
func (p *Plan) of(of Parts) []Labeller {
	var list []Labeller
	if of.Gen {
		list = p.labellers()
		if !p.labels() && of.Train { // a whole run reads its labels from elsewhere
			list = list[1:]
		}
	}
	if of.Eval {
		for _, z := range p.Config.Eval.ZeroShot {
			if p.wants(z.Name) {
				list = append(list, zeroShotLabeller(z))
			}
		}
	}
	return list
}

// checkTrain refuses a [train] that cannot be trained.
func checkTrain(p *Run, classes int) error {
	t := p.Config.Train
	if err := checkStart(t); err != nil {
		return err
	}
	largest := t.Batch
	if t.FitBatch {
		largest *= t.Accumulate
	}
	errs := []error{train.CheckBatch(t), parallel.Check("train", t.Devices, largest)}
	_, err := train.NewSegmenter(t, cmp.Or(classes, 2))
	errs = append(errs, err)
	_, err = augment.FromConfig(t)
	errs = append(errs, err)
	if m, err := manifest.Find(t.Init); err == nil && !manifest.IsInitial(m) {
		_, err := manifest.InitialWeights(context.Background(), t.Init)
		errs = append(errs, fmt.Errorf("train.network.init: %w", err))
	} else if t.Init != "" && files.Exists(t.Init) {
		src, _, err := formats.OpenInitial(t.Init)
		if err == nil {
			err = src.Close()
		} else {
			err = fmt.Errorf("train.network.init: %w", err)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return UsageError{Err: err}
	}
	return nil
}

// begins tells whether a network of the run starts from its initial weights:
// one that goes on from a checkpoint needs them no more.
func (p *Run) begins() bool {
	for _, net := range p.Networks() {
		if list, err := checkpoints.List(p.Path("train", net)); err != nil || len(list) == 0 || p.Restart {
			return true
		}
	}
	return false
}

// needsEngine tells whether any part of a whole run computes on a backend.
func (p *Run) needsEngine(list []Labeller) (bool, error) {
	if len(p.Networks()) > 0 || len(p.Config.Eval.ONNX) > 0 || len(p.Config.Eval.Network) > 0 {
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
func (p *Plan) labelCounts(split string, ids []string) string {
	n, err := data.CountLabels(context.Background(), p.Dataset, ids, mostCounted)
	if err != nil {
		return "; " + err.Error()
	}
	if split == p.Config.Data.ValSplit && n.Masks == 0 {
		return ": " + n.String() + "; without true masks nothing is scored on it"
	}
	return ": " + n.String()
}

// mostCounted bounds the images that a plan looks at.
const mostCounted = 2000

// CanLabel is the preflight of labelling by [gen] alone: what is wrong with the
// method's options, and the weights that are missing.
func (p *Run) CanLabel() error {
	plan, of := &Plan{Run: p, Print: io.Discard}, Parts{Gen: true}
	if err := plan.check(of); err != nil {
		return err
	}
	if err := plan.weights(of); err != nil {
		return err
	}
	if len(plan.Lacks) > 0 {
		return MissingError{Lacks: plan.Lacks}
	}
	return nil
}
