// Package legalise rewrites an ONNX graph, for concrete input shapes, into an
// equal one of few, plain ops: shapes are inferred, everything that does not
// depend on the data is computed, branches and loops are unrolled, and
// registered rules express ops that the importer lacks by ops that it has.
// The work is one forward pass: each node is folded, rewritten or kept as soon
// as its inputs are known, and what a rule emits goes the same way.
package legalise

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/models/onnximport/onnxfile"
)

// DType is an element type as ONNX numbers it. Half precision never occurs:
// it is widened to Float.
type DType = onnxfile.DType

// The element types, short.
const (
	Float  = protos.TensorProto_FLOAT
	Double = protos.TensorProto_DOUBLE
	Int32  = protos.TensorProto_INT32
	Int64  = protos.TensorProto_INT64
	Bool   = protos.TensorProto_BOOL
	Uint8  = protos.TensorProto_UINT8
	Int8   = protos.TensorProto_INT8
)

// IsFloat tells floating-point element types from integers and booleans.
func IsFloat(d DType) bool { return d == Float || d == Double }

// Const holds known elements, row-major: Floats for floating-point types,
// Ints for integers and booleans (0 and 1).
type Const struct {
	Ints   []int64
	Floats []float64
}

// Value is one tensor of the graph. Its shape is always known; its elements
// are where Const is set. Exactly one of Const, Weight, Input and Node is set.
type Value struct {
	Name   string
	DType  DType
	Dims   []int
	Const  *Const
	Weight *onnxfile.Tensor // an initializer left in the file
	Input  bool             // a graph input
	Node   *Node            // the node that makes it

	read *Const // Weight's elements, once a rule asked for them
}

// Rank returns the number of dimensions.
func (v *Value) Rank() int { return len(v.Dims) }

// Len returns the number of elements.
func (v *Value) Len() int {
	n := 1
	for _, d := range v.Dims {
		n *= d
	}
	return n
}

// Is tells whether v has this shape.
func (v *Value) Is(dims []int) bool { return slices.Equal(v.Dims, dims) }

func (v *Value) String() string { return fmt.Sprintf("%s %v%v", v.Name, v.DType, v.Dims) }

// Bytes encodes the elements of a constant, little-endian.
func (v *Value) Bytes() ([]byte, error) {
	c := v.Const
	n := v.Len()
	le := binary.LittleEndian
	switch v.DType {
	case Float:
		out := make([]byte, 4*n)
		for i, x := range c.Floats {
			le.PutUint32(out[4*i:], math.Float32bits(float32(x)))
		}
		return out, nil
	case Double:
		out := make([]byte, 8*n)
		for i, x := range c.Floats {
			le.PutUint64(out[8*i:], math.Float64bits(x))
		}
		return out, nil
	}
	w := intBytes(v.DType)
	if w == 0 {
		return nil, fmt.Errorf("constant %s: element type not supported", v)
	}
	out := make([]byte, 0, w*n)
	for _, x := range c.Ints {
		var b [8]byte
		le.PutUint64(b[:], uint64(x))
		out = append(out, b[:w]...)
	}
	return out, nil
}

func intBytes(d DType) int {
	switch d {
	case Bool, Int8, Uint8:
		return 1
	case protos.TensorProto_INT16, protos.TensorProto_UINT16:
		return 2
	case Int32, protos.TensorProto_UINT32:
		return 4
	case Int64, protos.TensorProto_UINT64:
		return 8
	}
	return 0
}

// decode reads the elements of t from the file.
func decode(t *onnxfile.Tensor) (*Const, error) {
	raw := make([]byte, t.Bytes())
	if err := t.ReadInto(raw); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	n := t.Len()
	c := new(Const)
	if IsFloat(t.DType) {
		c.Floats = make([]float64, n)
	} else {
		c.Ints = make([]int64, n)
	}
	for i := range n {
		switch t.DType {
		case Float:
			c.Floats[i] = float64(math.Float32frombits(le.Uint32(raw[4*i:])))
		case Double:
			c.Floats[i] = math.Float64frombits(le.Uint64(raw[8*i:]))
		case Int64, protos.TensorProto_UINT64:
			c.Ints[i] = int64(le.Uint64(raw[8*i:]))
		case Int32:
			c.Ints[i] = int64(int32(le.Uint32(raw[4*i:])))
		case protos.TensorProto_UINT32:
			c.Ints[i] = int64(le.Uint32(raw[4*i:]))
		case protos.TensorProto_INT16:
			c.Ints[i] = int64(int16(le.Uint16(raw[2*i:])))
		case protos.TensorProto_UINT16:
			c.Ints[i] = int64(le.Uint16(raw[2*i:]))
		case Int8:
			c.Ints[i] = int64(int8(raw[i]))
		default:
			c.Ints[i] = int64(raw[i])
		}
	}
	return c, nil
}
