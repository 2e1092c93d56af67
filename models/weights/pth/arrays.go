package pth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"wsss/data/pickle"
)

// isPickle tells a plain pickle by its first bytes: protocols 2 to 5, and an opcode,
// where the length that a safetensors file begins with has a zero.
func isPickle(head []byte) bool {
	return len(head) > 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5 && head[2] != 0
}

// arrayTypes are NumPy's types of little-endian numbers.
var arrayTypes = map[string]dtypes.DType{
	"f2": dtypes.Float16, "f4": dtypes.Float32, "f8": dtypes.Float64,
	"i1": dtypes.Int8, "i2": dtypes.Int16, "i4": dtypes.Int32, "i8": dtypes.Int64, "u1": dtypes.Uint8, "b1": dtypes.Bool,
}

// arrays makes tensors of the NumPy arrays in a plain pickle, as Detectron2's model
// zoo has them, and is the store of their values.
type arrays struct {
	file   io.ReaderAt
	bytes  map[string]any // of a storage: a pickle.Span of the file, or []byte
	budget int64          // bytes that may still be made of text: each of the file's once
}

// readArrays reads a plain pickle.
func readArrays(r io.ReaderAt, size int64) (any, store, error) {
	a := &arrays{file: r, bytes: map[string]any{}, budget: size}
	v, err := pickle.Reader{Construct: a.construct}.ReadFile(r, size)
	return v, a, err
}

// construct knows NumPy's constructors.
func (a *arrays) construct(name string, args []any) (any, error) {
	switch strings.Replace(name, "numpy._core.", "numpy.core.", 1) {
	case "numpy.core.multiarray._reconstruct":
		return &array{of: a}, nil
	case "numpy.core.numeric._frombuffer": // (bytes, type, shape, order), protocol 5
		if len(args) != 4 {
			return nil, errArray
		}
		t, err := a.tensor(args[2], args[1], text(args[3]) == "F", args[0])
		if err != nil {
			return nil, err
		}
		return &array{of: a, tensor: t}, nil
	case "numpy.dtype":
		if len(args) > 0 {
			return &elements{name: text(args[0])}, nil
		}
	case "__builtin__.bytes", "builtins.bytes":
		if len(args) == 0 {
			return []byte{}, nil
		}
	case "_codecs.encode": // bytes in protocol 2 of Python 3
		if len(args) == 2 {
			if s, ok := args[0].(string); ok && text(args[1]) == "latin1" {
				if a.budget -= int64(len(s)); a.budget < 0 {
					return nil, errors.New("pickle repeats its text too often")
				}
				return latin1(s)
			}
		}
	}
	return nil, nil
}

var errArray = errors.New("pickle has a malformed NumPy array")

// elements is a type of numbers.
type elements struct{ name string }

// SetState is pickle.Stateful's: (version, byte order, …).
func (e *elements) SetState(state any) error {
	if t, ok := state.(*pickle.Tuple); ok && len(t.Items) > 1 && text(t.Items[1]) == ">" {
		e.name = ">" + e.name
	}
	return nil
}

// array is an ndarray: at first without values.
type array struct {
	of     *arrays
	tensor *tensor
}

// SetState is pickle.Stateful's: (version, shape, type, Fortran's order, bytes).
func (x *array) SetState(state any) (err error) {
	t, ok := state.(*pickle.Tuple)
	if !ok || len(t.Items) != 5 || x.tensor != nil {
		return errArray
	}
	fortran, ok := t.Items[3].(bool)
	if !ok {
		return errArray
	}
	x.tensor, err = x.of.tensor(t.Items[1], t.Items[2], fortran, t.Items[4])
	return err
}

// Plain is pickle.Wrapper's: the tensor, nil for arrays of objects.
func (x *array) Plain() any {
	if x.tensor == nil {
		return nil
	}
	return x.tensor
}

// tensor keeps the bytes of an array.
func (a *arrays) tensor(shape, of any, fortran bool, raw any) (*tensor, error) {
	dims, ok1 := sizes(shape)
	e, ok2 := of.(*elements)
	if !ok1 || !ok2 {
		return nil, errArray
	}
	if strings.HasPrefix(e.name, "O") {
		return nil, nil // objects, which are no weights
	}
	dtype, ok := arrayTypes[e.name]
	if !ok {
		return nil, fmt.Errorf("pickle has a NumPy array of type %q, which is not read", e.name)
	}
	var size int64
	switch v := raw.(type) {
	case pickle.Span:
		size = v.Size
	case []byte:
		size = int64(len(v))
	default:
		return nil, errArray
	}
	width := int64(dtype.Size())
	s := &storage{key: strconv.Itoa(len(a.bytes)), dtype: dtype, size: size / width}
	strides, count := make([]any, len(dims)), int64(1)
	for i := range dims {
		axis := len(dims) - 1 - i
		if fortran {
			axis = i
		}
		strides[axis] = count
		if dims[axis] > 0 && count > s.size/dims[axis] && !slices.Contains(dims, 0) {
			return nil, fmt.Errorf("pickle has a NumPy array %v of %d bytes", dims, size)
		}
		count *= dims[axis]
	}
	if count*width != size {
		return nil, fmt.Errorf("pickle has a NumPy array %v of %d bytes", dims, size)
	}
	a.bytes[s.key] = raw
	t, err := newTensor([]any{s, int64(0), shape, &pickle.Tuple{Items: strides}})
	if err != nil {
		return nil, err
	}
	return t.(*tensor), nil
}

// open is store's.
func (a *arrays) open(key string, n int64) (io.ReaderAt, error) {
	switch v := a.bytes[key].(type) {
	case pickle.Span:
		return io.NewSectionReader(a.file, v.Offset, v.Size), nil
	case []byte:
		return bytes.NewReader(v), nil
	}
	return nil, fmt.Errorf("pickle lacks the array %q", key)
}

// place is store's.
func (a *arrays) place(key string, n int64) (int64, bool, error) {
	v, ok := a.bytes[key].(pickle.Span)
	return v.Offset, ok, nil
}

// latin1 turns text into bytes.
func latin1(s string) ([]byte, error) {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 255 {
			return nil, fmt.Errorf("pickle text has %q, which is not latin1", r)
		}
		out = append(out, byte(r))
	}
	return out, nil
}
