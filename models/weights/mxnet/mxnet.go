// Package mxnet reads MXNet's .params files: a list of arrays and their names, such
// as the published weights of wide ResNet-38. All three layouts of an array are
// known: that of MXNet before 0.11, which has no magic number, and its successors.
package mxnet

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/files"
)

// Numbers of the format (MXNet's src/ndarray/ndarray.cc).
const (
	listMagic = 0x112
	v1Magic   = 0xF993FAC8 // dimensions of 64 bits
	v2Magic   = 0xF993FAC9 // and a kind of storage before them
	v3Magic   = 0xF993FACA // as v2, where a rank of 0 is a number

	maxArrays = 1 << 16
	maxRank   = 8
	maxName   = 1 << 12
)

// types are the kinds of values by their number in a file.
var types = map[int32]dtypes.DType{0: dtypes.Float32, 1: dtypes.Float64, 2: dtypes.Float16, 3: dtypes.Uint8, 4: dtypes.Int32, 5: dtypes.Int8, 6: dtypes.Int64}

// Reader reads the arrays of one file, each when asked for. It is safe for
// concurrent use.
type Reader struct {
	files.Held
	file   io.ReaderAt
	arrays map[string]array
	names  []string
}

type array struct {
	shape  []int
	dtype  dtypes.DType
	offset int64
	bytes  int64
}

// Is tells by the first bytes of a file whether it is one.
func Is(head []byte) bool {
	return len(head) >= 8 && binary.LittleEndian.Uint64(head) == listMagic
}

// Open opens a file and reads its names and shapes; no value is read yet. Errors
// name the file.
func Open(path string) (*Reader, error) {
	return files.Parse(path, NewReader)
}

// NewReader is Open on the first size bytes of r.
func NewReader(r io.ReaderAt, size int64) (*Reader, error) {
	p := &parser{r: r, size: size}
	if magic := p.u64(); p.err == nil && magic != listMagic {
		return nil, errors.New("no MXNet parameters: the file does not begin with their number")
	}
	p.u64() // reserved
	count := p.u64()
	if p.err == nil && count > maxArrays {
		return nil, fmt.Errorf("%d arrays: at most %d are read", count, maxArrays)
	}
	var list []array
	for i := uint64(0); i < count && p.err == nil; i++ {
		a := p.array()
		if p.err != nil {
			return nil, fmt.Errorf("array %d: %w", i, p.err)
		}
		list = append(list, a)
	}
	if n := p.u64(); p.err == nil && n != count {
		return nil, fmt.Errorf("%d arrays and %d names: wanted is a name for each, as mx.nd.save writes a dictionary", count, n)
	}
	out := &Reader{Held: files.Held{Name: "parameters"}, file: r, arrays: map[string]array{}}
	for i := range list {
		name := p.text()
		if p.err != nil {
			break
		}
		if _, twice := out.arrays[name]; twice {
			return nil, fmt.Errorf("two arrays have the name %q", name)
		}
		out.arrays[name] = list[i]
		out.names = append(out.names, name)
	}
	if p.err != nil {
		return nil, p.err
	}
	if len(out.names) == 0 {
		return nil, errors.New("the file has no arrays")
	}
	slices.Sort(out.names)
	return out, nil
}

// Names is weights.Source's.
func (r *Reader) Names() []string { return slices.Clone(r.names) }

// Shape is weights.Source's.
func (r *Reader) Shape(name string) ([]int, error) {
	a, err := r.find(name)
	return slices.Clone(a.shape), err
}

func (r *Reader) find(name string) (array, error) {
	a, ok := r.arrays[name]
	if !ok {
		return a, fmt.Errorf("%s: no array %q; it has %d, such as %q", r.Name, name, len(r.names), r.names[0])
	}
	return a, nil
}

// Tensor is weights.Source's.
func (r *Reader) Tensor(name string) (*tensors.Tensor, error) {
	a, err := r.find(name)
	if err != nil {
		return nil, err
	}
	t := tensors.FromShape(shapes.Make(a.dtype, a.shape...))
	var read error
	err = t.MutableBytes(func(to []byte) {
		if int64(len(to)) != a.bytes {
			read = fmt.Errorf("%d bytes, wanted are %d", a.bytes, len(to))
			return
		}
		_, read = r.file.ReadAt(to, a.offset)
		if read == io.EOF {
			read = nil
		}
	})
	if err = errors.Join(err, read); err != nil {
		return nil, fmt.Errorf("%s: array %q: %w", r.Name, name, err)
	}
	return t, nil
}

// parser reads a file from the front and skips values. The first error stays.
type parser struct {
	r    io.ReaderAt
	at   int64
	size int64
	buf  *bufio.Reader
	err  error
}

func (p *parser) bytes(n int) []byte {
	out := make([]byte, n)
	if p.err != nil {
		return out
	}
	if p.buf == nil {
		p.buf = bufio.NewReader(io.NewSectionReader(p.r, p.at, p.size-p.at))
	}
	if _, err := io.ReadFull(p.buf, out); err != nil {
		p.err = fmt.Errorf("the file ends at byte %d, in the middle of an entry", p.size)
		return out
	}
	p.at += int64(n)
	return out
}

func (p *parser) u32() uint32 { return binary.LittleEndian.Uint32(p.bytes(4)) }
func (p *parser) u64() uint64 { return binary.LittleEndian.Uint64(p.bytes(8)) }

func (p *parser) text() string {
	n := p.u64()
	if n > maxName {
		p.fail("a name of %d bytes: at most %d are read", n, maxName)
		return ""
	}
	return string(p.bytes(int(n)))
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// array reads what stands before the values of one, and skips them.
func (p *parser) array() (a array) {
	rank, wide := p.u32(), false
	switch rank {
	case v2Magic, v3Magic:
		if kind := int32(p.u32()); kind != 0 && p.err == nil {
			p.fail("sparse storage (kind %d): only dense arrays are read", kind)
		}
		rank, wide = p.u32(), true
	case v1Magic:
		rank, wide = p.u32(), true
	}
	if rank > maxRank {
		p.fail("%d dimensions: at most %d are read", rank, maxRank)
	}
	if rank == 0 {
		p.fail("an array without a shape")
	}
	count := int64(1)
	for range rank {
		if p.err != nil {
			return a
		}
		d := uint64(0)
		if wide {
			d = p.u64()
		} else {
			d = uint64(p.u32())
		}
		if d == 0 || d > math.MaxInt32 || count > p.size/int64(d) {
			p.fail("a dimension of %d: the file has %d bytes", d, p.size)
			return a
		}
		count *= int64(d)
		a.shape = append(a.shape, int(d))
	}
	p.bytes(8) // device
	kind := int32(p.u32())
	dtype, ok := types[kind]
	if !ok {
		p.fail("values of kind %d: known are float32, float64, float16, uint8, int32, int8, int64", kind)
		return a
	}
	a.dtype, a.offset, a.bytes = dtype, p.at, count*int64(dtype.Size())
	if a.bytes > p.size-p.at {
		p.fail("%d bytes of values, %d are left of the file", a.bytes, p.size-p.at)
	}
	p.at += a.bytes
	p.buf = nil
	return a
}
