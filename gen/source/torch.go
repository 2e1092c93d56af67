package source

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"wsss/data"
	"wsss/data/weak/npy"
)

// storageTypes are PyTorch's names of element types as they stand in a saved
// storage, with the size of an element.
var storageTypes = []struct {
	name  string
	size  int
	float func(b []byte) float32
}{
	{"FloatStorage", 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }},
	{"DoubleStorage", 8, func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) }},
	{"LongStorage", 8, func(b []byte) float32 { return float32(int64(binary.LittleEndian.Uint64(b))) }},
	{"IntStorage", 4, func(b []byte) float32 { return float32(int32(binary.LittleEndian.Uint32(b))) }},
}

// torchTensor reads a CPU tensor that was pickled inside a dictionary, as
// IRN's keys and maps at stride 4 are: _rebuild_tensor_v2(storage, offset,
// size, stride, …), where storage is _load_from_bytes of a file in PyTorch's
// old format, whose last part is the number of elements and the elements.
func torchTensor(o *npy.Opaque) (shape []int, values func() []float32, err error) {
	bad := func(why string) error {
		return fmt.Errorf("%s: %s: allowed are CPU tensors of 32 and 64 bits", o.Name, why)
	}
	if o.Name != "torch._utils._rebuild_tensor_v2" || len(o.Args) < 4 {
		return nil, nil, bad("not a tensor")
	}
	storage, ok := o.Args[0].(*npy.Opaque)
	if !ok || storage.Name != "torch.storage._load_from_bytes" || len(storage.Args) != 1 {
		return nil, nil, bad("unknown storage")
	}
	raw, ok1 := storage.Args[0].([]byte)
	offset, ok2 := o.Args[1].(int64)
	shape, ok3 := ints(o.Args[2])
	strides, ok4 := ints(o.Args[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || len(shape) != len(strides) || offset < 0 {
		return nil, nil, bad("unknown layout")
	}
	last, total := offset, int64(1) // the last element used, and their number
	for d, n := range shape {
		if total *= int64(n); total > data.MaxPixels || strides[d] > data.MaxPixels {
			return nil, nil, bad("too large")
		}
		last += int64(n-1) * int64(strides[d])
	}
	for _, t := range storageTypes {
		if !bytes.Contains(raw, []byte("torch\n"+t.name+"\n")) {
			continue
		}
		elements, ok := tail(raw, t.size)
		if !ok || total > 0 && last >= int64(len(elements)/t.size) {
			return nil, nil, bad("cut short")
		}
		return shape, func() []float32 {
			out := make([]float32, total)
			for i := range out {
				at, rest := offset, i
				for d := len(shape) - 1; d >= 0; d-- {
					at += int64(rest%shape[d]) * int64(strides[d])
					rest /= shape[d]
				}
				out[i] = t.float(elements[at*int64(t.size):])
			}
			return out
		}, nil
	}
	return nil, nil, bad("unknown element type")
}

// tail finds the elements at the end of a saved storage: they follow their own
// number, after the end of a pickle.
func tail(raw []byte, size int) ([]byte, bool) {
	for n := 0; 8+n*size < len(raw); n++ {
		at := len(raw) - n*size - 8
		if raw[at-1] == '.' && binary.LittleEndian.Uint64(raw[at:]) == uint64(n) {
			return raw[at+8:], true
		}
	}
	return nil, false
}

// ints reads a tuple of non-negative whole numbers.
func ints(v any) ([]int, bool) {
	list, ok := v.([]any)
	if !ok || len(list) > 8 {
		return nil, false
	}
	out := make([]int, len(list))
	for i, x := range list {
		n, ok := x.(int64)
		if !ok || n < 0 || n > data.MaxPixels {
			return nil, false
		}
		out[i] = int(n)
	}
	return out, true
}
