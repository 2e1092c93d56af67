package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/train/lineage"
)

// RunFile describes a run folder to people and programs.
const RunFile = "run.json"

// runInfo is RunFile.
type runInfo struct {
	About      string            `json:"about"`
	Name       string            `json:"name"`
	Dataset    string            `json:"dataset"`
	Split      string            `json:"split"`
	Images     int               `json:"images"`
	Labels     string            `json:"labels"`
	ValSplit   string            `json:"val_split,omitempty"`
	ValImages  int               `json:"val_images,omitempty"`
	Classes    []string          `json:"classes"`
	Seed       int64             `json:"seed"`
	Config     configs.Train     `json:"config"`
	ConfigHash string            `json:"config_hash"`
	LabelsHash string            `json:"labels_hash,omitempty"`
	InitHash   string            `json:"init_hash,omitempty"`
	Backend    string            `json:"backend"`
	Versions   map[string]string `json:"versions"`
	Files      map[string]string `json:"files"`
	Result     *Result           `json:"result,omitempty"` // absent while the run goes on
}

// describe writes RunFile: at the start of a run, and again with its result.
func (r *run) describe(res *Result) error {
	return files.WriteJSON(filepath.Join(r.OutDir, RunFile), runInfo{
		About: "A training run. Kill and repeat the command that made it at any time: it goes on from the newest checkpoint.",
		Name:  r.Name, Dataset: r.Dataset.Name(), Split: r.Split, Images: len(r.ids),
		Labels: or(r.LabelsDir, trueMasks), ValSplit: r.ValSplit, ValImages: len(r.valIDs),
		Classes: r.Classes.Names, Seed: r.Seed, Config: r.Config,
		ConfigHash: r.ConfigHash, LabelsHash: r.LabelsHash, InitHash: r.loop.Meta.InitHash, Backend: r.Backend.Description(), Versions: r.loop.Meta.Versions,
		Files: map[string]string{
			checkpoints.FileName(r.Config.Iterations): "checkpoint after so many updates: weights, optimiser, random state, config; the last, the best on validation and some before",
			LogFile:      "one line per update (loss, learning rates, gradient norm) and per validation (mIoU)",
			"*.svg":      "curves of the log",
			EventsFile:   "the log for TensorBoard, if train.checkpoint.tensorboard is set",
			lineage.File: "hashes of the photos and labels that it learns; when these change, it is trained again",
			RunFile:      "this file",
		},
		Result: res,
	})
}

// nonEmpty lists the images of a split.
func nonEmpty(ds data.Dataset, split string) ([]string, error) {
	ids, err := ds.IDs(split)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("split %q of %s has no images", split, ds.Name())
	}
	return ids, nil
}

// choose finds the images to train and to validate on: those that have what to
// learn from, or to be judged by.
func (r *run) choose(ctx context.Context) (err error) {
	if r.ids = r.IDs; r.ids == nil {
		if r.ids, err = nonEmpty(r.Dataset, r.Split); err != nil {
			return err
		}
		if r.LabelsDir == "" {
			if r.ids, err = data.WithTruth(ctx, r.Dataset, r.ids); err != nil {
				return err
			}
		}
	}
	if len(r.ids) == 0 {
		return fmt.Errorf("split %q of %s: %w to train on", r.Split, r.Dataset.Name(), data.ErrNoTruth)
	}
	if err := checkLabels(r.LabelsDir, r.ids); err != nil || r.ValSplit == "" {
		return err
	}
	all, err := nonEmpty(r.Dataset, r.ValSplit)
	if err != nil {
		return err
	}
	r.valIDs, err = ValidationIDs(ctx, r.Dataset, all, r.Config.ValImages)
	if err == nil && len(r.valIDs) == 0 {
		r.Warn(fmt.Sprintf("no image of split %s has a true mask: the training is not validated", r.ValSplit))
	}
	return err
}

// ValidationIDs picks the images to validate on: n at even distances (0 = all)
// of those that have a true mask.
func ValidationIDs(ctx context.Context, ds data.Dataset, all []string, n int) ([]string, error) {
	ids := spread(all, n)
	masked, err := data.WithTruth(ctx, ds, ids)
	if err != nil || len(masked) == len(ids) || len(ids) == len(all) {
		return masked, err
	}
	masked, err = data.WithTruth(ctx, ds, all)
	return spread(masked, n), err
}

// spread picks n ids at even distances; 0 means all.
func spread(ids []string, n int) []string {
	if n <= 0 || n >= len(ids) {
		return ids
	}
	out := make([]string, n)
	for i := range out {
		out[i] = ids[i*len(ids)/n]
	}
	return out
}

// many small files are looked at at a time: in object storage that is waiting, not
// work.
const many = 16

// checkLabels reports label files that are missing before any time is spent.
func checkLabels(dir string, ids []string) error {
	if dir == "" {
		return nil
	}
	if _, err := files.Stat(dir); err != nil {
		return fmt.Errorf("folder of label maps: %w", err)
	}
	missing := make([]bool, len(ids))
	err := data.ParallelWorkers(context.Background(), len(ids), many, nil, func(_, i int) error {
		path, err := files.Join(dir, ids[i]+".png")
		if err == nil {
			_, err = files.Stat(path)
		}
		if missing[i] = errors.Is(err, fs.ErrNotExist); missing[i] {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	var absent []string
	for i, id := range ids {
		if missing[i] {
			absent = append(absent, id)
		}
	}
	if len(absent) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %d of %d label maps are missing, %s.png first", dir, len(absent), len(ids), absent[0])
}

// LabelsHash identifies the label maps <id>.png of a folder by their bytes.
func LabelsHash(dir string, ids []string) (string, error) {
	return labelsHash(ids, func(id string) (string, error) { return labelHash(dir, id) })
}

func labelsHash(ids []string, hashOf func(id string) (string, error)) (string, error) {
	ids = slices.Sorted(slices.Values(ids))
	ones := make([]string, len(ids))
	err := data.ParallelWorkers(context.Background(), len(ids), many, nil, func(_, i int) (err error) {
		ones[i], err = hashOf(ids[i])
		return err
	})
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for i, id := range ids {
		fmt.Fprintf(sum, "%q %s\n", id, ones[i])
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

func labelHash(dir, id string) (string, error) {
	path, err := files.Join(dir, id+".png")
	if err != nil {
		return "", err
	}
	return files.SHA256(path)
}
