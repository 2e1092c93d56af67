package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/data/words"
	"wsss/gen"
)

// A run works with what is labelled: images without the weak labels that its
// method takes get no label map, and those without a true mask are not scored.

// HasTruth tells whether any image of a split has a true mask.
func (p *Run) HasTruth(split string) (bool, error) {
	if has, known := p.truth[split]; known {
		return has, nil
	}
	ids, err := p.Dataset.IDs(split)
	if err != nil {
		return false, err
	}
	has, err := data.AnyTruth(context.Background(), p.Dataset, ids)
	if err != nil {
		return false, err
	}
	if p.truth == nil {
		p.truth = map[string]bool{}
	}
	p.truth[split] = has
	return has, nil
}

// CheckTruth refuses to train on true masks where there is none. The network
// that stands beside the one on pseudo-labels is left out instead, unless it is
// the only one asked for.
func (p *Run) CheckTruth(only string) error {
	nets := p.Networks()
	if only != "" {
		nets = []string{only}
	}
	if !slices.Contains(nets, NetBound) {
		return nil
	}
	split := p.Config.Data.TrainSplit
	has, err := p.HasTruth(split)
	if err != nil || has {
		return err
	}
	if len(nets) == 1 {
		return InFile(p.File, Usagef("no image of split %s has a true mask to train on: train.labels = \"\" trains on the pseudo-labels", split))
	}
	p.noBound = true
	p.once("train.bound: no image of split %s has a true mask: the network on true masks is left out", split)
	return nil
}

// once says a line the first time only.
func (p *Run) once(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if p.said[line] {
		return
	}
	if p.said == nil {
		p.said = map[string]bool{}
	}
	p.said[line] = true
	p.Alert("%s", line)
}

// goOn keeps the images that could not be labelled for the end, where the run
// keeps going; other errors stay.
func (p *Run) goOn(err error) error {
	var some *gen.FailedError
	if !p.KeepGoing || !errors.As(err, &some) {
		return sayKeepGoing(err)
	}
	p.Failed = append(p.Failed, err)
	return nil
}

// sayKeepGoing says beside the error of one image how to go on without it.
func sayKeepGoing(err error) error {
	if !errors.As(err, new(gen.Failure)) || errors.As(err, new(*gen.FailedError)) {
		return err
	}
	return fmt.Errorf("%w\n-keep-going goes on without the images that fail", err)
}

// trainIDs lists the images of the training split that have a label map in the
// folder that the network is trained on.
func (p *Run) trainIDs(dir string) ([]string, error) {
	split := p.Config.Data.TrainSplit
	if dir == p.labelsDir() {
		return p.made(split, dir, p.Config.Gen)
	}
	ids, err := labelledIn(p.Dataset, split, dir)
	if err != nil {
		return nil, err
	}
	all, err := p.Dataset.IDs(split)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 && p.Config.Train.Labels == labelsPacked {
		return nil, fmt.Errorf("train.labels = %q: the tar files at %s hold no pseudo-label of split %s, %s: `wsss data pack -labels FOLDER` packs them, too", labelsPacked, files.Address(p.Config.Data.Root), split, words.Plural(len(all), "image"))
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s has no label map of split %s, %s: they are called after the images, such as %s.png", dir, split, words.Plural(len(all), "image"), first(all))
	}
	if len(ids) < len(all) {
		p.once("%s has label maps of %d of the %d images of split %s; the others are left out", dir, len(ids), len(all), split)
	}
	return ids, nil
}

// made lists the images of a split whose labels gen has made in dir. It is an
// error where one is missing that could have been made, unless the run keeps
// going.
func (p *Run) made(split, dir string, g configs.Gen) ([]string, error) {
	all, err := p.Dataset.IDs(split)
	if err != nil {
		return nil, err
	}
	ids, err := labelledIn(p.Dataset, split, dir)
	if err != nil {
		return nil, err
	}
	here := make(map[string]bool, len(ids))
	for _, id := range ids {
		here[id] = true
	}
	var missing []string
	for _, id := range all {
		if here[id] || p.KeepGoing {
			continue
		}
		if out, err := rejected(p.Dataset, id); err != nil || out {
			if err != nil {
				return nil, err
			}
			continue
		}
		s, err := p.Dataset.Load(id, data.WantWeak)
		if err != nil {
			return nil, err
		}
		if s.Weak.Has(data.WeakKind(g.Weak)) {
			missing = append(missing, id)
		}
	}
	switch {
	case len(missing) > 0:
		return nil, fmt.Errorf("%s: %d of %d label maps are missing, %s.png first: `wsss gen` makes them; -keep-going works with the others", dir, len(missing), len(all), missing[0])
	case len(ids) == 0:
		return nil, fmt.Errorf("%s: no label map of split %s, %s", dir, split, words.Plural(len(all), "image"))
	case len(ids) < len(all):
		p.once("labels of %d of the %d images of split %s; the others are left out", len(ids), len(all), split)
	}
	return ids, nil
}

// labelledIn lists the images of a split that have a label map in a folder.
func labelledIn(ds data.Dataset, split, dir string) ([]string, error) {
	all, err := ds.IDs(split)
	if err != nil {
		return nil, err
	}
	if _, err := files.Stat(dir); err != nil {
		return nil, fmt.Errorf("folder of label maps: %w", err)
	}
	there := make([]bool, len(all))
	const many = 16 // at a time: in object storage looking is waiting, not work
	err = data.ParallelWorkers(context.Background(), len(all), many, nil, func(_, i int) error {
		path, err := files.Join(dir, all[i]+".png")
		if err != nil {
			return err
		}
		if out, err := rejected(ds, all[i]); err != nil || out {
			return err
		}
		_, err = files.Stat(path)
		if there[i] = err == nil; errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(all))
	for i, id := range all {
		if there[i] {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// rejected tells whether a person rejected an image's label in review.
func rejected(ds data.Dataset, id string) (bool, error) {
	c, _, err := corrections.Of(ds, id)
	return c != nil && c.Verdict == corrections.Rejected, err
}

// correct joins the data set with what was corrected in review.
func (p *Run) correct() {
	dir := corrections.DirOf(p.Config.Data.Corrections, p.Config.Data.Root, p.Config.Out)
	if dir == "" {
		return
	}
	learnt, _ := p.Dataset.IDs(p.Config.Data.TrainSplit) // a wrong split is told of where it is used
	p.Dataset = corrections.Wrap(p.Dataset, &corrections.Folder{Dir: dir, Classes: p.Dataset.Classes()},
		corrections.Options{Learnt: learnt, TruthIsLearnt: p.Config.Train.Labels == "truth"})
}

func first(ids []string) string {
	if len(ids) == 0 {
		return "a/b"
	}
	return ids[0]
}
