// Package safetensors reads and writes the safetensors format: an eight-byte
// little-endian header length, a JSON header with the type, shape and offsets
// of every tensor, then the raw values. Nothing in such a file is executed.
package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"

	"wsss/checkpoints/files"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// MaxHeader bounds the JSON header, as the format's reference does.
const MaxHeader = 100_000_000

const metadataKey = "__metadata__"

// Info describes one tensor of a file.
type Info struct {
	DType DType
	Shape []int
	// Begin and End are offsets in the file.
	Begin, End int64
}

// Reader reads the tensors of one file, each when asked for. It is safe for
// concurrent use.
type Reader struct {
	files.Held
	r        io.ReaderAt
	infos    map[string]Info
	names    []string
	metadata map[string]string
}

// Open opens a file and checks its whole header; no value is read yet. Errors
// name the file.
func Open(path string) (*Reader, error) {
	return files.Parse(path, NewReader)
}

// NewReader is Open on the first size bytes of r.
func NewReader(r io.ReaderAt, size int64) (*Reader, error) {
	var n [8]byte
	if size < 8 {
		return nil, fmt.Errorf("not a safetensors file: %d bytes, the header length alone takes 8", size)
	}
	if _, err := r.ReadAt(n[:], 0); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint64(n[:])
	if length > MaxHeader || int64(length) > size-8 {
		return nil, fmt.Errorf("not a safetensors file, or truncated: header of %d bytes in a file of %d (at most %d are allowed)", length, size, MaxHeader)
	}
	header := make([]byte, length)
	if _, err := r.ReadAt(header, 8); err != nil {
		return nil, err
	}
	out := &Reader{Held: files.Held{Name: "safetensors"}, r: r, infos: map[string]Info{}, metadata: map[string]string{}}
	if err := out.parse(header); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	if err := out.checkLayout(8+int64(length), size); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	return out, nil
}

// parse walks the top-level object by hand, because decoding it into a map
// would let a repeated name pass in silence.
func (r *Reader) parse(header []byte) error {
	dec := json.NewDecoder(bytes.NewReader(header))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("not a JSON object")
	}
	seenMeta := false
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if name == metadataKey {
			if seenMeta {
				return fmt.Errorf("%s occurs twice", metadataKey)
			}
			seenMeta = true
			if err := dec.Decode(&r.metadata); err != nil {
				return fmt.Errorf("%s: %w", metadataKey, err)
			}
			continue
		}
		if _, dup := r.infos[name]; dup {
			return fmt.Errorf("tensor %q occurs twice", name)
		}
		var raw struct {
			DType   DType    `json:"dtype"`
			Shape   []int64  `json:"shape"`
			Offsets *[]int64 `json:"data_offsets"`
		}
		if err := dec.Decode(&raw); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		if raw.Offsets == nil || len(*raw.Offsets) != 2 {
			return fmt.Errorf("tensor %q: data_offsets must be two numbers", name)
		}
		info := Info{DType: raw.DType, Begin: (*raw.Offsets)[0], End: (*raw.Offsets)[1]}
		if info.Shape, err = checkShape(raw.DType, raw.Shape, info.End-info.Begin); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		r.infos[name] = info
		r.names = append(r.names, name)
	}
	if _, err := dec.Token(); err != nil {
		return err
	}
	if rest := bytes.TrimSpace(header[dec.InputOffset():]); len(rest) > 0 {
		return fmt.Errorf("%d bytes after the JSON object", len(rest))
	}
	sort.Strings(r.names)
	return nil
}

// maxRank bounds the rank of a tensor: NumPy's bound.
const maxRank = 64

// checkShape verifies that the shape fills exactly length bytes.
func checkShape(d DType, dims []int64, length int64) ([]int, error) {
	if _, err := d.GoMLX(); err != nil {
		return nil, err
	}
	if len(dims) > maxRank {
		return nil, fmt.Errorf("rank %d: allowed up to %d", len(dims), maxRank)
	}
	shape := make([]int, len(dims))
	n := d.Size()
	for i, dim := range dims {
		if dim < 0 || dim > math.MaxInt32 || dim > 0 && n > math.MaxInt64/dim {
			return nil, fmt.Errorf("shape %v is out of range", dims)
		}
		shape[i] = int(dim)
		n *= dim
	}
	if n != length {
		return nil, fmt.Errorf("shape %v of %s takes %d bytes, data_offsets give %d", dims, d, n, length)
	}
	return shape, nil
}

// checkLayout verifies that the tensors tile the rest of the file without
// overlap, hole or tail, and turns the offsets into file offsets.
func (r *Reader) checkLayout(start, size int64) error {
	order := slices.Clone(r.names)
	sort.SliceStable(order, func(i, j int) bool {
		a, b := r.infos[order[i]], r.infos[order[j]]
		return a.Begin < b.Begin || a.Begin == b.Begin && a.End < b.End
	})
	at := int64(0)
	for _, name := range order {
		info := r.infos[name]
		if info.Begin != at || info.End < info.Begin || info.End > size-start {
			return fmt.Errorf("tensor %q lies at [%d, %d) of %d data bytes: it must start at %d, where the one before it ends, and end inside the file",
				name, info.Begin, info.End, size-start, at)
		}
		at = info.End
		info.Begin += start
		info.End += start
		r.infos[name] = info
	}
	if at != size-start {
		return fmt.Errorf("the tensors take %d bytes, the file holds %d", at, size-start)
	}
	return nil
}

// Names lists the tensors, sorted.
func (r *Reader) Names() []string { return slices.Clone(r.names) }

// Metadata is the header's free text, empty where there is none.
func (r *Reader) Metadata() map[string]string { return r.metadata }

// Info describes a tensor; ok is false where the file has none of this name.
func (r *Reader) Info(name string) (info Info, ok bool) {
	info, ok = r.infos[name]
	return info, ok
}

// Shape returns the dimensions of a tensor.
func (r *Reader) Shape(name string) ([]int, error) {
	info, err := r.find(name)
	return info.Shape, err
}

// Tensor reads one tensor in its stored type.
func (r *Reader) Tensor(name string) (*tensors.Tensor, error) {
	info, err := r.find(name)
	if err != nil {
		return nil, err
	}
	dtype, err := info.DType.GoMLX()
	if err != nil {
		return nil, err
	}
	t := tensors.FromShape(shapes.Make(dtype, info.Shape...))
	if info.End == info.Begin {
		return t, nil
	}
	var readErr error
	err = t.MutableBytes(func(data []byte) {
		_, readErr = r.r.ReadAt(data, info.Begin)
		if readErr == nil && info.DType == "BOOL" {
			for _, b := range data {
				if b > 1 {
					readErr = fmt.Errorf("BOOL value %d: allowed are 0 and 1", b)
					clear(data)
					break
				}
			}
		}
	})
	if err == nil {
		err = readErr
	}
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %q: %w", r.Name, name, err)
	}
	return t, nil
}

// Values streams the raw bytes of a tensor.
func (r *Reader) Values(name string) (*io.SectionReader, error) {
	info, err := r.find(name)
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(r.r, info.Begin, info.End-info.Begin), nil
}

func (r *Reader) find(name string) (Info, error) {
	info, ok := r.infos[name]
	if !ok {
		return info, fmt.Errorf("%s has no tensor %q", r.Name, name)
	}
	return info, nil
}
