// Package checkpoints keeps the state of a training run on disk: one
// safetensors file per checkpoint, atomic and checksummed, that holds weights,
// optimiser state and everything needed to go on or to rebuild the network
// from the file alone.
package checkpoints

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/configs"
	"wsss/models/weights/safetensors"
)

// Prefixes of tensor names. What follows is the variable's path.
const (
	WeightPrefix    = "var" // network variables, batch-norm statistics and device RNG state included
	OptimizerPrefix = "opt" // momentum buffers
)

const (
	format  = 1
	metaKey = "wsss"
)

// ErrNone is returned by Latest for a folder without checkpoints.
var ErrNone = errors.New("no checkpoint")

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
	BestStep   int               `json:"best_step"` // of the highest validation mIoU so far; 0 before the first
	BestMIoU   float64           `json:"best_miou"` //
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

// header is Meta as stored.
type header struct {
	Meta
	TrainTOML string `json:"train"`
	CRC       string `json:"crc32c"` // of all tensor bytes, in the order of their sorted names
}

// Checkpoint is an opened checkpoint. Tensors are read when asked for.
type Checkpoint struct {
	*safetensors.Reader
	Path string
	Meta Meta
	crc  string
}

// FileName is the name of the checkpoint of a step.
func FileName(step int) string { return fmt.Sprintf("step-%08d.safetensors", step) }

// Save writes dir/FileName(meta.Step), atomically and fsync'd. Names of values
// start with WeightPrefix or OptimizerPrefix.
func Save(dir string, meta Meta, values map[string]*tensors.Tensor) (string, error) {
	path := filepath.Join(dir, FileName(meta.Step))
	meta.Format = format
	h := header{Meta: meta}
	var text bytes.Buffer
	enc := toml.NewEncoder(&text)
	if err := enc.Encode(meta.Model.Train); err != nil {
		return "", err
	}
	h.TrainTOML = text.String()
	var err error
	if h.CRC, err = checksum(values); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	raw, err := json.Marshal(h)
	if err != nil {
		return "", err
	}
	return path, safetensors.WriteFile(path, values, map[string]string{"format": "wsss", metaKey: string(raw)})
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(values map[string]*tensors.Tensor) (string, error) {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	sum := crc32.New(castagnoli)
	for _, name := range names {
		if values[name].Size() == 0 {
			continue
		}
		if err := values[name].ConstBytes(func(b []byte) { sum.Write(b) }); err != nil {
			return "", fmt.Errorf("tensor %q: %w", name, err)
		}
	}
	return fmt.Sprintf("%08x", sum.Sum32()), nil
}

// Open opens one checkpoint file and verifies it whole, checksum included,
// without keeping any of it in memory. Errors name the file.
func Open(path string) (*Checkpoint, error) {
	r, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Reader: r, Path: path}
	if err = c.decode(); err == nil {
		err = c.verify()
	}
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (c *Checkpoint) decode() error {
	raw, ok := c.Metadata()[metaKey]
	if !ok {
		return fmt.Errorf("weights without training state: not a wsss checkpoint")
	}
	var h header
	if err := json.Unmarshal([]byte(raw), &h); err != nil {
		return fmt.Errorf("checkpoint metadata: %w", err)
	}
	if h.Format != format {
		return fmt.Errorf("checkpoint format %d: this program reads %d", h.Format, format)
	}
	if _, err := toml.Decode(h.TrainTOML, &h.Meta.Model.Train); err != nil {
		return fmt.Errorf("checkpoint's train config: %w", err)
	}
	c.Meta, c.crc = h.Meta, h.CRC
	return nil
}

func (c *Checkpoint) verify() error {
	sum := crc32.New(castagnoli)
	for _, name := range c.Names() {
		values, err := c.Values(name)
		if err != nil {
			return err
		}
		if _, err := io.Copy(sum, values); err != nil {
			return err
		}
	}
	if got := fmt.Sprintf("%08x", sum.Sum32()); got != c.crc {
		return fmt.Errorf("checksum %s, written with %s: the file is damaged", got, c.crc)
	}
	return nil
}

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
	paths, err := filepath.Glob(filepath.Join(escapeGlob(dir), "step-*.safetensors"))
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, p := range paths {
		var step int
		if _, err := fmt.Sscanf(filepath.Base(p), "step-%d.safetensors", &step); err == nil && FileName(step) == filepath.Base(p) {
			entries = append(entries, Entry{step, p})
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return a.Step - b.Step })
	return entries, nil
}

// escapeGlob makes a folder name with glob characters match only itself.
func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
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

// Best opens the checkpoint with the highest validation mIoU, as the newest
// whole one records it, or that newest one where no validation ran.
func Best(dir string, warn func(string)) (*Checkpoint, error) {
	last, err := Latest(dir, warn)
	if err != nil || last.Meta.BestStep == 0 || last.Meta.BestStep == last.Meta.Step {
		return last, err
	}
	best, err := Open(filepath.Join(dir, FileName(last.Meta.BestStep)))
	if err != nil {
		if warn != nil {
			warn(fmt.Sprintf("%v; using the last checkpoint, step %d", err, last.Meta.Step))
		}
		return last, nil
	}
	last.Close()
	return best, nil
}
