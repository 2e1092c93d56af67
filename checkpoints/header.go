package checkpoints

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"maps"
	"slices"

	"github.com/BurntSushi/toml"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/configs"
)

// The header is Meta as JSON, and beside it the checksum of all the rest: of
// that text and of every tensor's name, shape and bytes, in the order of
// names. In format 1 it stood within the text and was of the tensors' bytes. To
// format 2 the train config had one table, and the best measure no name.
const (
	format    = 3
	metaKey   = "wsss"
	sumKey    = "wsss_crc32c"
	formatKey = "format"
)

// header is Meta as stored.
type header struct {
	Meta
	TrainTOML string `json:"train"`
	CRC       string `json:"crc32c,omitempty"` // format 1
	// BestMIoU is Meta.Best to format 2, whatever the measure.
	BestMIoU *float64 `json:"best_miou,omitempty"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sumOf(h hash.Hash32) string { return fmt.Sprintf("%08x", h.Sum32()) }

// sumTensor adds what stands before a tensor's bytes.
func sumTensor(sum io.Writer, name string, shape []int) { fmt.Fprintf(sum, "%q %d\n", name, shape) }

// encode is the metadata of a checkpoint's file.
func encode(meta Meta, values map[string]*tensors.Tensor) (map[string]string, error) {
	meta.Format = format
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).Encode(meta.Model.Train); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(header{Meta: meta, TrainTOML: text.String()})
	if err != nil {
		return nil, err
	}
	sum := crc32.New(castagnoli)
	sum.Write(raw)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		sumTensor(sum, name, values[name].Shape().Dimensions)
		if values[name].Size() == 0 {
			continue
		}
		if err := values[name].ConstBytes(func(b []byte) { sum.Write(b) }); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
	}
	return map[string]string{formatKey: "wsss", metaKey: string(raw), sumKey: sumOf(sum)}, nil
}

// decode reads the header. Keys that the train config of an older file lacks
// have their defaults.
func (c *Checkpoint) decode() error {
	raw, ok := c.Metadata()[metaKey]
	if !ok {
		return fmt.Errorf("weights without training state: not a wsss checkpoint")
	}
	var h header
	if err := json.Unmarshal([]byte(raw), &h); err != nil {
		return fmt.Errorf("checkpoint metadata: %w", err)
	}
	switch h.Format {
	case 1:
		c.crc = h.CRC
	case 2, format:
		c.crc = c.Metadata()[sumKey]
	default:
		return fmt.Errorf("checkpoint format %d: this program reads 1 to %d", h.Format, format)
	}
	h.Meta.Model.Train = configs.Default().Train
	h.Meta.Model.Train.Scales = nil // a list that is not written is empty: the header must encode to the same bytes again
	if err := configs.DecodeTrain(h.TrainTOML, &h.Meta.Model.Train); err != nil {
		return fmt.Errorf("checkpoint's train config: %w", err)
	}
	if h.BestMIoU != nil {
		h.Best = *h.BestMIoU
	}
	if h.Measure == "" && h.BestStep > 0 {
		if h.Measure = "mIoU"; h.Meta.Model.Train.Arch == "" { // a classifier's
			h.Measure = "mAP"
		}
	}
	c.Meta = h.Meta
	return nil
}

// verify compares the checksum.
func (c *Checkpoint) verify() error {
	sum := crc32.New(castagnoli)
	if c.Meta.Format > 1 {
		io.WriteString(sum, c.Metadata()[metaKey])
	}
	for _, name := range slices.Sorted(slices.Values(c.Names())) {
		if t, _ := c.Info(name); c.Meta.Format > 1 {
			sumTensor(sum, name, t.Shape)
		}
		values, err := c.Values(name)
		if err != nil {
			return err
		}
		if _, err := io.Copy(sum, values); err != nil {
			return err
		}
	}
	if got := sumOf(sum); got != c.crc {
		return fmt.Errorf("checksum %s, written with %s: the file is damaged", got, c.crc)
	}
	return nil
}
