// Package goslack gives the arrays of the go backend readable bytes behind their
// ends. GoMLX's kernels load the rest of a row, which is shorter than a vector,
// by simd.LoadFloat32sPart; Go 1.27 (1.27.4 too) may compile that to a load of the whole
// vector, which reads behind the array and, at the end of the heap's last
// page, ends the process with a fault (docs/upstream.md). The pools that the
// backend takes its arrays from are not public, so they are reached by reflection.
package goslack

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// Bytes is the slack behind an array: a vector of AVX-512 is 64 bytes, and a load
// begins within the array.
const Bytes = 64

// largest is the size of the largest arrays that get slack, in bytes.
const largest = 1 << 42

// Give makes a new go backend take its arrays from alloc, which is given the size
// of an array and returns that many bytes with Bytes more behind them that may be
// read. An error says what of GoMLX is not as expected.
func Give(b compute.Backend, alloc func(size int) []byte) error {
	pools, err := poolsOf(b)
	if err != nil {
		return err
	}
	one, err := b.BufferFromFlatData(0, []uint8{0}, shapes.Make(dtypes.Uint8, 1)) // makes a pool
	if err != nil {
		return err
	}
	key, err := keyType(pools)
	if err != nil {
		return err
	}
	array, err := arrayType(one)
	if err != nil {
		return err
	}
	give := func(size int) {
		k := reflect.New(key)
		*(*int)(k.UnsafePointer()) = size
		pools.Store(k.Elem().Interface(), &sync.Pool{New: func() any {
			a := reflect.New(array)
			a.Elem().FieldByName("RawBytes").SetBytes(alloc(size))
			return a.Interface()
		}})
	}
	// The sizes of support.TwoBitBucketLen.
	give(1)
	for size := 2; size <= largest; size *= 2 {
		give(size)
		give(size + size/2)
	}
	return nil
}

// Heap allocates for Give from Go's heap.
func Heap(size int) []byte { return make([]byte, size+Bytes)[:size] }

// poolsOf are the pools of b.
func poolsOf(b compute.Backend) (*sync.Map, error) {
	v := reflect.ValueOf(b)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("the backend is a %T", b)
	}
	field := v.Elem().FieldByName("bufferPools")
	if !field.IsValid() || field.Type() != reflect.TypeFor[sync.Map]() {
		return nil, fmt.Errorf("%T has no sync.Map named bufferPools", b)
	}
	return (*sync.Map)(field.Addr().UnsafePointer()), nil
}

// keyType is the type of the pools' keys: a struct of one int, the size.
func keyType(pools *sync.Map) (key reflect.Type, err error) {
	pools.Range(func(k, pool any) bool {
		if _, ok := pool.(*sync.Pool); ok {
			key = reflect.TypeOf(k)
		}
		return false
	})
	if key == nil || key.Kind() != reflect.Struct || key.NumField() != 1 || key.Field(0).Name != "bucketedSize" || key.Field(0).Type.Kind() != reflect.Int {
		return nil, fmt.Errorf("the keys of the pools are %v", key)
	}
	return key, nil
}

// arrayType is what an array points to: a struct whose memory is RawBytes.
func arrayType(one compute.Buffer) (reflect.Type, error) {
	t := reflect.TypeOf(one)
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("an array is a %v", t)
	}
	if f, ok := t.Elem().FieldByName("RawBytes"); !ok || f.Type != reflect.TypeFor[[]byte]() {
		return nil, fmt.Errorf("%v has no []byte named RawBytes", t)
	}
	return t.Elem(), nil
}
