package npy

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// Array is a numeric array as it lies in the file; Float32 and Int64 give its
// values in row-major order.
type Array struct {
	Shape []int
	Type  string // NumPy's kind and size in bytes: "f4", "i8", "u1", "b1", …

	typ     elemType
	fortran bool
	raw     []byte
}

// Len is the number of values.
func (a *Array) Len() int { return len(a.raw) / a.typ.size }

// Float32 returns the values in row-major order, whatever their type.
func (a *Array) Float32() []float32 {
	out := make([]float32, a.Len())
	a.each(func(i int, b []byte) { out[i] = float32(a.typ.float(b)) })
	return out
}

// Int64 returns the values of an integer or boolean array in row-major order.
func (a *Array) Int64() ([]int64, error) {
	if a.typ.kind == 'f' {
		return nil, fmt.Errorf("array of type %s: integers are needed", a.Type)
	}
	out := make([]int64, a.Len())
	a.each(func(i int, b []byte) { out[i] = a.typ.int(b) })
	return out, nil
}

// each calls f for every element with its row-major index.
func (a *Array) each(f func(i int, b []byte)) {
	n, size := a.Len(), a.typ.size
	if !a.fortran || len(a.Shape) < 2 {
		for i := range n {
			f(i, a.raw[i*size:])
		}
		return
	}
	// Walk the file in order and carry the column-major index along.
	strides := make([]int, len(a.Shape))
	for d, stride := len(a.Shape)-1, 1; d >= 0; d-- {
		strides[d] = stride
		stride *= a.Shape[d]
	}
	index := make([]int, len(a.Shape))
	at := 0
	for i := range n {
		f(at, a.raw[i*size:])
		for d := range index {
			index[d]++
			at += strides[d]
			if index[d] < a.Shape[d] {
				break
			}
			at -= index[d] * strides[d]
			index[d] = 0
		}
	}
}

// newArray checks that the data fills the shape.
func newArray(typ elemType, shape []int, fortran bool, raw []byte) (*Array, error) {
	want := uint64(typ.size)
	for _, n := range shape {
		if n < 0 {
			return nil, fmt.Errorf("array of shape %v has a negative size", shape)
		}
		hi, lo := bits.Mul64(want, uint64(n))
		if hi != 0 {
			return nil, fmt.Errorf("array of shape %v is too large", shape)
		}
		want = lo
	}
	if want > uint64(len(raw)) {
		return nil, fmt.Errorf("array of shape %v and type %s needs %d bytes, the file has %d", shape, typ.name(), want, len(raw))
	}
	return &Array{Shape: shape, Type: typ.name(), typ: typ, fortran: fortran, raw: raw[:want]}, nil
}

// elemType is a numeric element type.
type elemType struct {
	kind  byte // 'b', 'i', 'u' or 'f'
	size  int  // bytes
	order binary.ByteOrder
}

// parseType reads "<f4", "|u1", "f8", "?", …
func parseType(s string) (elemType, error) {
	typ := elemType{order: binary.LittleEndian}
	body := s
	if body != "" {
		switch body[0] {
		case '>':
			typ.order, body = binary.BigEndian, body[1:]
		case '<', '|', '=':
			body = body[1:]
		}
	}
	if body == "?" {
		body = "b1"
	}
	switch body {
	case "b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8":
		typ.kind, typ.size = body[0], int(body[1]-'0')
		return typ, nil
	}
	return elemType{}, fmt.Errorf("array type %.20q is not supported: allowed are bool, int8…64, uint8…64, float16…64", s)
}

func (t elemType) name() string { return fmt.Sprintf("%c%d", t.kind, t.size) }

func (t elemType) uint(b []byte) uint64 {
	switch t.size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(t.order.Uint16(b))
	case 4:
		return uint64(t.order.Uint32(b))
	}
	return t.order.Uint64(b)
}

// int is the element as an integer; only for kinds 'b', 'i' and 'u'.
func (t elemType) int(b []byte) int64 {
	v := t.uint(b)
	if t.kind == 'i' {
		shift := 64 - 8*t.size
		return int64(v<<shift) >> shift
	}
	return int64(v)
}

func (t elemType) float(b []byte) float64 {
	if t.kind != 'f' {
		if t.kind == 'u' {
			return float64(t.uint(b))
		}
		return float64(t.int(b))
	}
	switch v := t.uint(b); t.size {
	case 2:
		return half(uint16(v))
	case 4:
		return float64(math.Float32frombits(uint32(v)))
	default:
		return math.Float64frombits(v)
	}
}

// half widens an IEEE 754 half-precision number.
func half(v uint16) float64 {
	sign, exp, frac := 1.0, int(v>>10&31), float64(v&1023)
	if v>>15 != 0 {
		sign = -1
	}
	switch {
	case exp == 31 && frac != 0:
		return math.NaN()
	case exp == 31:
		return math.Inf(int(sign))
	case exp == 0:
		return sign * math.Ldexp(frac, -24)
	}
	return sign * math.Ldexp(1024+frac, exp-25)
}
