package npy

import (
	"errors"
	"fmt"
	"strings"

	"wsss/data/pickle"
)

type (
	dtype struct {
		elem   elemType
		object bool
	}
	// objectArray is an array of pickled values.
	objectArray struct {
		shape []int
		items []any
	}
	// pending is an ndarray between its constructor and its state.
	pending struct{ value any }
	// maker makes NumPy's objects.
	maker struct {
		budget int // bytes that text conversions may still allocate
	}
)

// unpickle reads one value.
func unpickle(in []byte) (any, error) {
	m := &maker{budget: 2*len(in) + 4096}
	v, _, err := pickle.Reader{Construct: m.construct}.Read(in)
	return v, err
}

// construct knows NumPy's constructors.
func (m *maker) construct(name string, args []any) (any, error) {
	switch strings.Replace(name, "numpy._core.", "numpy.core.", 1) {
	case "numpy.core.multiarray._reconstruct":
		return &pending{}, nil
	case "numpy.dtype":
		return newDtype(args)
	case "numpy.core.multiarray.scalar":
		return scalar(args)
	case "numpy.core.numeric._frombuffer":
		return fromBuffer(args)
	case "_codecs.encode":
		return m.latin1(args)
	case "__builtin__.bytes", "builtins.bytes":
		if len(args) == 0 {
			return []byte{}, nil
		}
	}
	return nil, nil
}

// SetState is pickle.Stateful's.
func (p *pending) SetState(state any) error {
	t, ok := state.(*pickle.Tuple)
	if !ok {
		t = &pickle.Tuple{}
	}
	var err error
	p.value, err = arrayFromState(t.Items)
	return err
}

// Plain is pickle.Wrapper's.
func (p *pending) Plain() any { return p.value }

// SetState is pickle.Stateful's: the byte order.
func (d *dtype) SetState(state any) error {
	t, ok := state.(*pickle.Tuple)
	if !ok || len(t.Items) < 2 || t.Items[1] != ">" || d.object {
		return nil
	}
	elem, err := parseType(">" + d.elem.name())
	if err != nil {
		return err
	}
	d.elem = elem
	return nil
}

// Plain is pickle.Wrapper's: the type's name.
func (d *dtype) Plain() any {
	if d.object {
		return "O"
	}
	return d.elem.name()
}

// Plain is pickle.Wrapper's. np.save(path, dictionary) wraps the dictionary
// in an array without axes.
func (a *objectArray) Plain() any {
	if len(a.shape) == 0 && len(a.items) == 1 {
		return a.items[0]
	}
	return &pickle.List{Items: a.items}
}

// latin1 turns text into bytes, as Python 3 writes bytes in protocol 2. One
// text may be turned many times, so what it allocates is bounded.
func (m *maker) latin1(args []any) (any, error) {
	if len(args) != 2 || args[1] != "latin1" {
		return nil, errors.New("pickle encodes text otherwise than as latin1")
	}
	text, ok := args[0].(string)
	if !ok {
		return nil, errors.New("pickle encodes something that is not text")
	}
	if m.budget -= len(text); m.budget < 0 {
		return nil, errors.New("pickle repeats its text too often")
	}
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 255 {
			return nil, fmt.Errorf("pickle text has %q, which is not latin1", r)
		}
		out = append(out, byte(r))
	}
	return out, nil
}

func newDtype(args []any) (any, error) {
	if len(args) == 0 {
		return nil, errors.New("pickled array type has no name")
	}
	name, ok := args[0].(string)
	if !ok {
		return nil, errors.New("pickled array type is not a plain one")
	}
	if name == "O8" || name == "O4" || name == "O" {
		return &dtype{object: true}, nil
	}
	elem, err := parseType(name)
	if err != nil {
		return nil, err
	}
	return &dtype{elem: elem}, nil
}

// scalar is numpy.core.multiarray.scalar(dtype, bytes).
func scalar(args []any) (any, error) {
	if len(args) == 2 {
		typ, ok1 := args[0].(*dtype)
		raw, ok2 := args[1].([]byte)
		if ok1 && ok2 && !typ.object && len(raw) == typ.elem.size {
			if typ.elem.kind == 'f' {
				return typ.elem.float(raw), nil
			}
			return typ.elem.int(raw), nil
		}
	}
	return nil, errors.New("pickled NumPy number is malformed")
}

// arrayFromState reads (version, shape, dtype, fortran order, data).
func arrayFromState(state []any) (any, error) {
	if len(state) != 5 {
		return nil, errors.New("pickled array has no state of five parts")
	}
	shape, err := intTuple(state[1])
	if err != nil {
		return nil, err
	}
	typ, ok := state[2].(*dtype)
	if !ok {
		return nil, errors.New("pickled array has no type")
	}
	if typ.object {
		items, ok := state[4].(*pickle.List)
		if !ok {
			return nil, errors.New("pickled array of objects has no list")
		}
		return &objectArray{shape: shape, items: items.Items}, nil
	}
	fortran, _ := state[3].(bool)
	raw, ok := state[4].([]byte)
	if !ok {
		return nil, errors.New("pickled array has no bytes")
	}
	return newArray(typ.elem, shape, fortran, raw)
}

// fromBuffer is numpy.core.numeric._frombuffer(bytes, dtype, shape, order).
func fromBuffer(args []any) (any, error) {
	if len(args) != 4 {
		return nil, errors.New("pickled array buffer is malformed")
	}
	raw, ok1 := args[0].([]byte)
	typ, ok2 := args[1].(*dtype)
	shape, err := intTuple(args[2])
	if !ok1 || !ok2 || typ.object || err != nil {
		return nil, errors.New("pickled array buffer is malformed")
	}
	return newArray(typ.elem, shape, args[3] == "F", raw)
}

func intTuple(v any) ([]int, error) {
	t, ok := v.(*pickle.Tuple)
	if !ok {
		return nil, errors.New("pickled array has no shape")
	}
	out := make([]int, len(t.Items))
	for i, n := range t.Items {
		k, ok := n.(int64)
		if !ok || k < 0 {
			return nil, errors.New("pickled array has a shape that is not a list of sizes")
		}
		out[i] = int(k)
	}
	return out, nil
}
