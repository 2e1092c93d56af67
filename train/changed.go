package train

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/data/corrections"
	"wsss/train/lineage"
)

// lookAtData notes what is learnt of each image: the photo, the label map or
// true mask, and the scores that config.confidence takes from sidecars.
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
		if use := r.Config.Confidence; use != "" && use != "none" {
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

// changed says how labels, photos or classes differ from those that a
// checkpoint was trained on; "" where they do not. Checkpoints of earlier
// versions know only of label folders: what else they were trained on is taken
// for what there is now.
func (r *run) changed(m checkpoints.Meta) string {
	if !slices.Equal(m.Model.Classes, r.Classes.Names) {
		return "the class table has changed"
	}
	was := lineage.Read(r.OutDir)
	data := m.DataHash
	if data == "" && was != nil {
		data = was.Hash()
	}
	switch {
	case data == "" && m.Images != len(r.ids):
		return fmt.Sprintf("%d images instead of %d", len(r.ids), m.Images)
	case data == "" && m.LabelsHash == r.LabelsHash:
		r.Log("note: this training is from an earlier version, which did not note its photos and true masks: taken for unchanged; changes from now on are noticed")
		return ""
	case data == r.data.Hash() && m.LabelsHash == r.LabelsHash:
		return ""
	}
	if was != nil {
		if text := was.Changes(r.data); text != "" {
			return text
		}
	}
	return "its labels have changed"
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

// noteData writes what is learnt into the training's folder.
func (r *run) noteData() error {
	if maps.Equal(lineage.Read(r.OutDir), r.data) {
		return nil
	}
	return r.data.Write(r.OutDir)
}

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
	return r.changed(c.Meta), nil
}
