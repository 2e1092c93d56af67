package multilabel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"wsss/checkpoints"
	"wsss/train/lineage"
	"wsss/train/runlog"
)

// lookAtData notes the photos and labels of training and validation: the best
// checkpoint and its thresholds depend on both.
func (r *run) lookAtData(ctx context.Context) error {
	r.data = lineage.Record{}
	for prefix, s := range map[string]*Examples{"": r.train, "validation: ": r.val} {
		if s == nil {
			continue
		}
		labels := make(map[string]string, len(s.IDs))
		for i, id := range s.IDs {
			labels[id] = fmt.Sprint(s.labels[i])
		}
		part, err := lineage.Of(ctx, s.ds, s.IDs, r.Hashes, func(id string) (string, error) { return labels[id], nil }, nil)
		if err != nil {
			return err
		}
		for id, im := range part {
			r.data[prefix+id] = im
		}
	}
	return nil
}

// changed says how photos, labels or classes differ from those that a
// checkpoint was trained on; "" where they do not. Those of earlier versions
// know of labels only.
func (r *run) changed(m checkpoints.Meta) string {
	if fmt.Sprint(m.Model.Classes) != fmt.Sprint(r.meta.Model.Classes) {
		return "the class table has changed"
	}
	was := lineage.Read(r.OutDir)
	data := m.DataHash
	if data == "" && was != nil {
		data = was.Hash()
	}
	same := m.LabelsHash == r.meta.LabelsHash
	if same && (data == "" || data == r.meta.DataHash) {
		return ""
	}
	if was != nil {
		if text := was.Changes(r.data); text != "" {
			return text
		}
	}
	return "its labels have changed"
}

// noteData writes what is learnt into the training's folder.
func (r *run) noteData() error {
	if maps.Equal(lineage.Read(r.OutDir), r.data) {
		return nil
	}
	return r.data.Write(r.OutDir)
}

// removeAll deletes the checkpoints and the log of a training, which another
// one replaces.
func removeAll(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if name != runlog.File && name != lineage.File && !(strings.HasPrefix(name, "step-") && strings.HasSuffix(name, ".safetensors")) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
