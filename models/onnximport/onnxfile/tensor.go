package onnxfile

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes/float16"
)

// DType is an element type as ONNX numbers it.
type DType = protos.TensorProto_DataType

// MaxRank bounds the rank of every tensor.
const MaxRank = 12

// Tensor is a tensor of a model whose values may still be on disk. Half
// precision is widened on reading: DType is then FLOAT.
type Tensor struct {
	Name  string
	DType DType // as read: never FLOAT16 or BFLOAT16
	Dims  []int

	Source *protos.TensorProto // what it was made from; identifies the tensor

	stored DType // as in the file
	size   int   // number of elements
	inline *protos.TensorProto
	file   *File
	where  string // external location
	offset int64
	base   *Tensor // for a transposed tensor, what it is made from
	perm   []int
}

// Transposed returns a handle for t with its axes in another order, which
// reading brings about. Reading takes twice the tensor's memory for a moment.
func (t *Tensor) Transposed(perm []int) *Tensor {
	out := *t
	out.base, out.perm = t, perm
	out.Dims = make([]int, len(perm))
	for i, p := range perm {
		out.Dims[i] = t.Dims[p]
	}
	return &out
}

// Reshaped returns a handle for t with other dimensions of the same product.
func (t *Tensor) Reshaped(dims []int) *Tensor {
	out := *t
	out.Dims = dims
	return &out
}

// Variant tells apart handles of one tensor that read differently: "" for the
// tensor as it is in the file.
func (t *Tensor) Variant() string {
	same := len(t.Dims) == len(t.Source.Dims)
	for i := 0; same && i < len(t.Dims); i++ {
		same = int64(t.Dims[i]) == t.Source.Dims[i]
	}
	text := ""
	if !same {
		text = fmt.Sprint(t.Dims)
	}
	for b := t; b.base != nil; b = b.base {
		text += fmt.Sprintf(" of %v by %v", b.base.Dims, b.perm)
	}
	return text
}

// ElemBytes is the width of the supported element types; 0 means unsupported.
func ElemBytes(d DType) int {
	switch d {
	case protos.TensorProto_INT8, protos.TensorProto_UINT8, protos.TensorProto_BOOL:
		return 1
	case protos.TensorProto_FLOAT16, protos.TensorProto_BFLOAT16, protos.TensorProto_INT16, protos.TensorProto_UINT16:
		return 2
	case protos.TensorProto_FLOAT, protos.TensorProto_INT32, protos.TensorProto_UINT32:
		return 4
	case protos.TensorProto_DOUBLE, protos.TensorProto_INT64, protos.TensorProto_UINT64:
		return 8
	}
	return 0
}

// Widen maps half precision to FLOAT and leaves other types alone.
func Widen(d DType) DType {
	if d == protos.TensorProto_FLOAT16 || d == protos.TensorProto_BFLOAT16 {
		return protos.TensorProto_FLOAT
	}
	return d
}

// Size returns the number of elements of a shape, or an error if a dimension
// is negative, the rank exceeds MaxRank or the product overflows.
func Size(dims []int) (int, error) {
	if len(dims) > MaxRank {
		return 0, fmt.Errorf("rank %d, allowed up to %d", len(dims), MaxRank)
	}
	size := 1
	for _, d := range dims {
		if d < 0 {
			return 0, fmt.Errorf("negative dimension in %v", dims)
		}
		if d > 0 && size > math.MaxInt64/64/d {
			return 0, fmt.Errorf("shape %v is too large", dims)
		}
		size *= d
	}
	return size, nil
}

// Tensor checks t against the bytes that are really there and returns a
// handle for reading it. Nothing is allocated for its values yet.
func (f *File) Tensor(t *protos.TensorProto) (*Tensor, error) {
	out := &Tensor{Name: t.Name, Source: t, stored: DType(t.DataType), file: f}
	out.DType = Widen(out.stored)
	for _, d := range t.Dims {
		out.Dims = append(out.Dims, int(d))
	}
	width := ElemBytes(out.stored)
	if width == 0 {
		return nil, fmt.Errorf("tensor %q: element type %v is not supported", t.Name, out.stored)
	}
	var err error
	if out.size, err = Size(out.Dims); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if t.Segment != nil {
		return nil, fmt.Errorf("tensor %q: segments are not supported", t.Name)
	}
	want := int64(out.size) * int64(width)
	if t.DataLocation == protos.TensorProto_EXTERNAL && want > 0 {
		return out, out.locate(t, want)
	}
	out.inline = t
	if n := inlineLen(t); n != out.size {
		return nil, fmt.Errorf("tensor %q: shape %v needs %d elements, the file holds %d", t.Name, out.Dims, out.size, n)
	}
	return out, nil
}

// locate reads the external-data entries and checks that want bytes exist.
func (t *Tensor) locate(p *protos.TensorProto, want int64) error {
	length := int64(-1)
	for _, kv := range p.ExternalData {
		var err error
		switch kv.Key {
		case "location":
			t.where = kv.Value
		case "offset":
			t.offset, err = strconv.ParseInt(kv.Value, 10, 64)
		case "length":
			length, err = strconv.ParseInt(kv.Value, 10, 64)
		}
		if err != nil {
			return fmt.Errorf("tensor %q: external %s %q is not a number", t.Name, kv.Key, kv.Value)
		}
	}
	_, size, err := t.file.external(t.where)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if length >= 0 && length != want {
		return fmt.Errorf("tensor %q: shape %v needs %d bytes, the file holds %d", t.Name, t.Dims, want, length)
	}
	if t.offset < 0 || t.offset > size || want > size-t.offset {
		return fmt.Errorf("tensor %q: needs bytes %d to %d of a file of %d", t.Name, t.offset, t.offset+want, size)
	}
	return nil
}

// inlineLen counts the elements that a TensorProto carries itself.
func inlineLen(t *protos.TensorProto) int {
	if t.RawData != nil {
		return len(t.RawData) / max(1, ElemBytes(DType(t.DataType)))
	}
	return max(len(t.FloatData), len(t.Int32Data), len(t.Int64Data), len(t.DoubleData), len(t.Uint64Data))
}

// Len returns the number of elements.
func (t *Tensor) Len() int { return t.size }

// Bytes returns the number of bytes that ReadInto fills.
func (t *Tensor) Bytes() int { return t.size * ElemBytes(t.DType) }

// ReadInto fills dst, of Bytes() bytes, with the little-endian elements.
func (t *Tensor) ReadInto(dst []byte) error {
	if len(dst) != t.Bytes() {
		return fmt.Errorf("tensor %q: %d bytes given for %d", t.Name, len(dst), t.Bytes())
	}
	if t.base != nil {
		src := make([]byte, len(dst))
		if err := t.base.ReadInto(src); err != nil {
			return err
		}
		permute(dst, src, t.base.Dims, t.perm, ElemBytes(t.DType))
		return nil
	}
	if t.stored != t.DType {
		return t.readHalf(dst)
	}
	if t.inline != nil {
		copy(dst, rawOf(t.inline))
		return nil
	}
	return t.readAt(dst, 0)
}

func (t *Tensor) readAt(dst []byte, skip int64) error {
	file, _, err := t.file.external(t.where)
	if err != nil {
		return err
	}
	if _, err := file.ReadAt(dst, t.offset+skip); err != nil && err != io.EOF {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return nil
}

// readHalf widens 16-bit floats in chunks, so that a file's half-precision
// weights are never held beside their float32 copy.
func (t *Tensor) readHalf(dst []byte) error {
	const chunk = 1 << 18 // elements
	var inline []byte
	if t.inline != nil {
		inline = rawOf(t.inline)
	}
	buf := make([]byte, 2*min(chunk, t.size))
	for from := 0; from < t.size; from += chunk {
		n := min(chunk, t.size-from)
		if t.inline != nil {
			copy(buf, inline[2*from:2*(from+n)])
		} else if err := t.readAt(buf[:2*n], int64(2*from)); err != nil {
			return err
		}
		for i := range n {
			bits := binary.LittleEndian.Uint16(buf[2*i:])
			v := uint32(bits) << 16 // bfloat16 is the upper half of a float32
			if t.stored == protos.TensorProto_FLOAT16 {
				v = math.Float32bits(float16.FromBits(bits).Float32())
			}
			binary.LittleEndian.PutUint32(dst[4*(from+i):], v)
		}
	}
	return nil
}

// permute copies elements of the given width from src, of shape dims, to dst
// with its axes in the order of perm.
func permute(dst, src []byte, dims, perm []int, width int) {
	strides := make([]int, len(dims)) // of src, in bytes
	step := width
	for i := len(dims) - 1; i >= 0; i-- {
		strides[i] = step
		step *= dims[i]
	}
	index := make([]int, len(perm))
	at := 0
	for out := 0; out < len(dst); out += width {
		copy(dst[out:out+width], src[at:])
		for k := len(perm) - 1; k >= 0; k-- {
			p := perm[k]
			index[k]++
			at += strides[p]
			if index[k] < dims[p] {
				break
			}
			at -= index[k] * strides[p]
			index[k] = 0
		}
	}
}

// rawOf encodes the typed fields of a small tensor as raw data.
func rawOf(t *protos.TensorProto) []byte {
	if t.RawData != nil {
		return t.RawData
	}
	width := ElemBytes(DType(t.DataType))
	out := make([]byte, 0, width*inlineLen(t))
	put := func(v uint64) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], v)
		out = append(out, b[:width]...)
	}
	for _, v := range t.FloatData {
		put(uint64(math.Float32bits(v)))
	}
	for _, v := range t.Int32Data {
		put(uint64(v))
	}
	for _, v := range t.Int64Data {
		put(uint64(v))
	}
	for _, v := range t.DoubleData {
		put(math.Float64bits(v))
	}
	for _, v := range t.Uint64Data {
		put(v)
	}
	return out
}
