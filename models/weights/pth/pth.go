// Package pth reads PyTorch checkpoints (.pth, .pt), both the zip format of
// PyTorch 1.6 and later and the one before, the weights of TorchScript archives, as
// OpenAI publishes CLIP, and pickles of NumPy arrays (.pkl), as Detectron2's model zoo
// has them. A pickle is read as data: tensors are
// understood, everything else is skipped, nothing is executed.
package pth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/files"
)

// maxPickle bounds the pickle of a checkpoint, which holds names and shapes but
// no values.
const maxPickle = 64 << 20

// Reader reads the tensors of one checkpoint, each when asked for. It is safe
// for concurrent use.
type Reader struct {
	files.Held
	tensors map[string]*tensor
	names   []string
	values  store
	visits  int // values that collect may still look at
}

// tensor is a strided view of a storage.
type tensor struct {
	storage *storage
	offset  int64 // elements
	shape   []int
	strides []int64
}

// storage is a run of elements of one type, named by a key.
type storage struct {
	key   string
	dtype dtypes.DType
	size  int64 // elements
}

// store finds the bytes of storages.
type store interface {
	// open returns the bytes of a storage of n bytes.
	open(key string, n int64) (io.ReaderAt, error)
	// place tells where in the file those bytes begin; not ok where they do
	// not stand there as they are.
	place(key string, n int64) (offset int64, ok bool, err error)
}

// Open opens a checkpoint and reads its names and shapes; no value is read yet.
// Errors name the file.
func Open(path string) (*Reader, error) {
	return files.Parse(path, NewReader)
}

// IsCheckpoint tells by the first bytes of a file whether it is a checkpoint of
// one of the formats.
func IsCheckpoint(head []byte) bool { return bytes.HasPrefix(head, zipMagic) || isPickle(head) }

// NewReader is Open on the first size bytes of r.
func NewReader(r io.ReaderAt, size int64) (*Reader, error) {
	head := make([]byte, min(size, int64(len(legacyMagic))))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	out := &Reader{Held: files.Held{Name: "checkpoint"}, tensors: map[string]*tensor{}, visits: maxVisits}
	var root any
	var err error
	switch {
	case bytes.HasPrefix(head, zipMagic):
		root, out.values, err = readZip(r, size)
	case bytes.HasPrefix(head, legacyMagic):
		root, out.values, err = readLegacy(r, size)
	case isPickle(head):
		root, out.values, err = readArrays(r, size)
	default:
		err = errors.New("not a PyTorch checkpoint: it starts neither as a zip archive nor as a pickle (files older than PyTorch 0.4 are not read)")
	}
	if err != nil {
		return nil, err
	}
	if err := out.collect("", root, 0); err != nil {
		return nil, err
	}
	if len(out.tensors) == 0 {
		return nil, fmt.Errorf("checkpoint holds no named tensors but %s: save with torch.save(model.state_dict(), path)", describe(root))
	}
	out.names = slices.Sorted(maps.Keys(out.tensors))
	return out, nil
}

// Names is weights.Source's. Tensors of nested dictionaries are named by the
// keys that lead to them, joined by dots.
func (r *Reader) Names() []string { return slices.Clone(r.names) }

// Shape is weights.Source's.
func (r *Reader) Shape(name string) ([]int, error) {
	t, err := r.find(name)
	if err != nil {
		return nil, err
	}
	return slices.Clone(t.shape), nil
}

func (r *Reader) find(name string) (*tensor, error) {
	t, ok := r.tensors[name]
	if !ok {
		return nil, fmt.Errorf("%s: no tensor %q; it has %d, such as %q", r.Name, name, len(r.names), r.names[0])
	}
	return t, nil
}

// Tensor is weights.Source's.
func (r *Reader) Tensor(name string) (*tensors.Tensor, error) {
	t, err := r.find(name)
	if err != nil {
		return nil, err
	}
	// The storage is found before memory is set aside for what it should hold.
	from, err := r.values.open(t.storage.key, t.storage.size*int64(t.storage.dtype.Size()))
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %q: %w", r.Name, name, err)
	}
	out := tensors.FromShape(shapes.Make(t.storage.dtype, t.shape...))
	if out.Shape().Size() == 0 {
		return out, nil
	}
	var readErr error
	err = out.MutableBytes(func(data []byte) { readErr = t.fill(from, data) })
	if err = errors.Join(err, readErr); err != nil {
		return nil, fmt.Errorf("%s: tensor %q: %w", r.Name, name, err)
	}
	return out, nil
}

// fill copies the elements of t from its storage in row-major order.
func (t *tensor) fill(from io.ReaderAt, data []byte) error {
	width := int64(t.storage.dtype.Size())
	if t.contiguous() {
		if _, err := from.ReadAt(data, t.offset*width); err != nil {
			return err
		}
		return checkBools(t.storage.dtype, data)
	}
	first, last := t.span()
	raw := make([]byte, (last-first+1)*width)
	if _, err := from.ReadAt(raw, first*width); err != nil {
		return err
	}
	index := make([]int, len(t.shape))
	for to := int64(0); to < int64(len(data)); to += width {
		at := t.offset - first
		for axis, i := range index {
			at += int64(i) * t.strides[axis]
		}
		copy(data[to:to+width], raw[at*width:])
		for axis := len(index) - 1; axis >= 0; axis-- {
			if index[axis]++; index[axis] < t.shape[axis] {
				break
			}
			index[axis] = 0
		}
	}
	return checkBools(t.storage.dtype, data)
}

// checkBools keeps a byte that is no bool from becoming one.
func checkBools(dtype dtypes.DType, data []byte) error {
	if dtype != dtypes.Bool {
		return nil
	}
	for _, b := range data {
		if b > 1 {
			clear(data)
			return fmt.Errorf("bool value %d: allowed are 0 and 1", b)
		}
	}
	return nil
}

// contiguous tells whether t is stored in row-major order.
func (t *tensor) contiguous() bool {
	want := int64(1)
	for axis := len(t.shape) - 1; axis >= 0; axis-- {
		if t.shape[axis] != 1 && t.strides[axis] != want {
			return false
		}
		want *= int64(t.shape[axis])
	}
	return true
}

// span is the range of elements that t, not empty, reads.
func (t *tensor) span() (first, last int64) {
	last = t.offset
	for axis, n := range t.shape {
		last += int64(n-1) * t.strides[axis]
	}
	return t.offset, last
}
