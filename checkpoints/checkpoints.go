// Package checkpoints keeps the state of a training run on disk: one
// safetensors file per checkpoint, atomic and checksummed, that holds weights,
// optimiser state and everything needed to go on or to rebuild the network
// from the file alone.
package checkpoints

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/files"
	"wsss/checkpoints/safetensors"
	"wsss/configs"
)

// Prefixes of tensor names. What follows is the variable's path.
const (
	WeightPrefix    = "var" // network variables, batch-norm statistics and device RNG state included
	OptimizerPrefix = "opt" // momentum buffers
	// GradientScope holds the sums of gradients between updates, which are no
	// part of a checkpoint.
	GradientScope = "accumulate"
)

// ErrNone is returned by Latest for a folder without checkpoints.
var ErrNone = errors.New("no checkpoint, " + kind)

// Model is what rebuilds a network without the config it was trained with.
type Model struct {
	Train   configs.Train `json:"-"` // stored as TOML, in the spelling of config files
	Classes []string      `json:"classes"`
}

// Meta is everything of a checkpoint that is not a tensor. It holds no times
// and no absolute paths: an interrupted and resumed run writes the same bytes
// as an undisturbed one. Host-side random numbers need no state beyond Seed
// and Drawn, because each is drawn from a generator seeded by them.
type Meta struct {
	Format     int               `json:"format"`
	Step       int               `json:"step"`  // optimiser updates done
	Seed       int64             `json:"seed"`  //
	Drawn      int64             `json:"drawn"` // images drawn so far: the position in the data order
	Epoch      int64             `json:"epoch"` // Drawn / images of the split
	Images     int               `json:"images"`
	Log        string            `json:"log"`       // metrics file beside the checkpoints …
	LogBytes   int64             `json:"log_bytes"` // … and its length when this was written
	BestStep   int               `json:"best_step"` // of the best validation so far; 0 before the first
	Best       float64           `json:"best"`      // what it came to, 0 to 1 …
	Measure    string            `json:"measure"`   // … by this measure: "mIoU", "mAP"; "" before the first
	Model      Model             `json:"model"`
	Dataset    string            `json:"dataset"`
	Split      string            `json:"split"`
	ConfigHash string            `json:"config_hash"`
	LabelsHash string            `json:"labels_hash"`
	DataHash   string            `json:"data_hash,omitempty"` // of photos, true masks and scores; "" in checkpoints of earlier versions
	InitHash   string            `json:"init_hash"`           // SHA-256 of the weights file it started from; "" for random
	Backend    string            `json:"backend"`
	Versions   map[string]string `json:"versions"`
}

// Checkpoint is an opened checkpoint. Tensors are read when asked for.
type Checkpoint struct {
	*safetensors.Reader
	Path string
	Meta Meta
	crc  string // as written
}

// FileName is the name of the checkpoint of a step.
func FileName(step int) string { return fmt.Sprintf("step-%08d.safetensors", step) }

// Save writes dir/FileName(meta.Step), atomically and fsync'd. Names of values
// start with WeightPrefix or OptimizerPrefix.
func Save(dir string, meta Meta, values map[string]*tensors.Tensor) (string, error) {
	path := filepath.Join(dir, FileName(meta.Step))
	metadata, err := encode(meta, values)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return path, safetensors.WriteFile(path, values, metadata)
}

// Open opens one checkpoint file and verifies it whole, its header included:
// the checksum, the range of every field, and that it is of the step that its
// name says. It keeps none of it in memory. Errors name the file.
func Open(path string) (*Checkpoint, error) {
	r, err := safetensors.Open(path)
	if err != nil {
		return nil, whatIs(path, err)
	}
	c := &Checkpoint{Reader: r, Path: path}
	if err = c.decode(); err == nil {
		err = c.verify()
	}
	if err == nil {
		err = c.Meta.check(filepath.Base(path))
	}
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// whatIs says what a checkpoint is where a file does not even begin as one.
func whatIs(path string, err error) error {
	if stat, statErr := files.Stat(path); statErr != nil || !stat.Mode().IsRegular() || filepath.Ext(path) == ".safetensors" {
		return err
	}
	return fmt.Errorf("%s is no checkpoint: %s (%w)", path, kind, err)
}

// kind tells people what a checkpoint is.
const kind = "that is a file step-….safetensors which training writes below OUT/train/NET, or this folder"

// Versions records what made a checkpoint.
func Versions() map[string]string {
	return map[string]string{"go": runtime.Version(), "format": fmt.Sprint(format)}
}

// Entry is one checkpoint file of a folder.
type Entry struct {
	Step int
	Path string
}

// List returns the checkpoints of a folder, oldest first. A missing folder
// holds none.
func List(dir string) ([]Entry, error) {
	paths, err := files.Glob(dir, "step-*.safetensors")
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, p := range paths {
		if step, ok := stepOf(filepath.Base(p)); ok {
			entries = append(entries, Entry{step, p})
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return a.Step - b.Step })
	return entries, nil
}

// stepOf is the inverse of FileName.
func stepOf(name string) (step int, ok bool) {
	_, err := fmt.Sscanf(name, "step-%d.safetensors", &step)
	return step, err == nil && step >= 0 && FileName(step) == name
}

// Latest opens the newest checkpoint that is whole. Damaged newer ones are
// passed over with a line to warn (nil to drop it). It returns ErrNone where
// the folder holds none, and another error where all are damaged.
func Latest(dir string, warn func(string)) (*Checkpoint, error) {
	entries, err := List(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s: %w", dir, ErrNone)
	}
	var damaged []error
	for _, e := range slices.Backward(entries) {
		c, err := Open(e.Path)
		if err == nil {
			for _, d := range damaged {
				if warn != nil {
					warn(fmt.Sprintf("%v; going back to step %d", d, c.Meta.Step))
				}
			}
			return c, nil
		}
		damaged = append(damaged, err)
	}
	return nil, fmt.Errorf("%s: every checkpoint is damaged: %w", dir, errors.Join(damaged...))
}

// OpenPath opens a checkpoint file, or of a folder the newest whole one, as
// Latest does.
func OpenPath(path string, warn func(string)) (*Checkpoint, error) {
	if info, err := files.Stat(path); err == nil && info.IsDir() {
		return Latest(path, warn)
	}
	return Open(path)
}
