package train

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/data/corrections"
	"wsss/train/lineage"
	"wsss/train/loop"
)

// lookAtData notes what is learnt of each image: the photo, the label map or
// true mask, and the scores that config.confidence and copy_paste take from sidecars.
func (r *run) lookAtData(ctx context.Context) error {
	label := func(id string) (string, error) { return lineage.Truth(r.Dataset, id, r.Hashes) }
	var scores func(id string) (string, error)
	if r.LabelsDir != "" {
		label = func(id string) (string, error) {
			sum, err := labelHash(r.LabelsDir, id)
			if err != nil {
				return "", err
			}
			corrected, err := corrections.VersionOf(r.Dataset, id) // its pixels go over the label map
			return sum + corrected, err
		}
		if use := r.Config.Confidence; use != "" && use != "none" || r.Config.CopyPaste > 0 {
			scores = func(id string) (string, error) {
				path, err := files.Join(cmp.Or(r.ScoresDir, r.LabelsDir), id+".json")
				if err != nil {
					return "", err
				}
				return r.Hashes.Tree(path) // "" without one, of which the loader tells
			}
		}
	}
	var err error
	if r.data, err = lineage.Of(ctx, r.Dataset, r.ids, r.Hashes, label, scores); err != nil {
		return err
	}
	if r.LabelsHash == "" && r.LabelsDir != "" {
		r.LabelsHash, err = labelsHash(r.ids, func(id string) (string, error) { return r.data[id].Label, nil })
	}
	return err
}

// sameFolder tells whether a training learnt from the folder of labels, or the
// true masks, that this one learns from. Its labels may have changed since.
func (r *run) sameFolder(m checkpoints.Meta) bool {
	if m.LabelsHash == r.LabelsHash {
		return true // wherever they are
	}
	raw, err := files.ReadLimited(filepath.Join(r.OutDir, RunFile), files.MaxRecord)
	var have runInfo
	if err != nil || json.Unmarshal(raw, &have) != nil {
		return (m.LabelsHash == "") == (r.LabelsDir == "")
	}
	return have.Labels == or(r.LabelsDir, trueMasks)
}

// trueMasks stands for the labels of a training on true masks.
const trueMasks = "true masks"

// Changed says what has changed of the data that the network in job.OutDir
// learnt, "" where nothing has, or where there is no network of this config.
// It changes nothing.
func Changed(ctx context.Context, job Job) (string, error) {
	c, err := checkpoints.Latest(job.OutDir, nil)
	if errors.Is(err, checkpoints.ErrNone) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer c.Close()
	job.ValSplit = ""
	r := &run{Job: job}
	r.Log = func(string) {}
	if r.Classes.Len() == 0 {
		r.Classes = job.Dataset.Classes()
	}
	if err := r.choose(ctx); err != nil {
		return "", err
	}
	if err := r.lookAtData(ctx); err != nil {
		return "", err
	}
	if c.Meta.ConfigHash != r.ConfigHash || !r.sameFolder(c.Meta) {
		return "", nil
	}
	now := checkpoints.Meta{Images: len(r.ids), LabelsHash: r.LabelsHash, Model: checkpoints.Model{Classes: r.Classes.Names}}
	return loop.Changed(r.OutDir, c.Meta, now, r.data, r.Log), nil
}
