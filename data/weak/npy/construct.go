package npy

import (
	"errors"
	"fmt"
	"strings"
)

// reduce takes a constructor's name and arguments and pushes what it makes.
func (m *machine) reduce() error {
	parts, err := m.popN(2)
	if err != nil {
		return err
	}
	name, ok1 := parts[0].(global)
	args, ok2 := parts[1].(*tuple)
	if !ok1 || !ok2 {
		return errors.New("pickle calls something that is not a named class")
	}
	v, err := m.construct(string(name), args.items)
	if err != nil {
		return err
	}
	return m.push(v)
}

// construct knows NumPy's constructors; any other becomes an Opaque.
func (m *machine) construct(name string, args []any) (any, error) {
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
	case "collections.OrderedDict":
		if len(args) == 0 {
			return &Dict{}, nil
		}
	}
	return &Opaque{Name: name, Args: args}, nil
}

// build gives an object its state.
func (m *machine) build() error {
	parts, err := m.popN(2)
	if err != nil {
		return err
	}
	var state []any
	if t, ok := parts[1].(*tuple); ok {
		state = t.items
	}
	switch obj := parts[0].(type) {
	case *pending:
		if obj.value, err = arrayFromState(state); err != nil {
			return err
		}
	case *dtype:
		if len(state) > 1 && state[1] == ">" && !obj.object {
			elem, err := parseType(">" + obj.elem.name())
			if err != nil {
				return err
			}
			obj.elem = elem
		}
	case *Opaque:
		obj.State = parts[1]
	default:
		return fmt.Errorf("pickle sets the state of a %T", parts[0])
	}
	return m.push(parts[0])
}

// latin1 turns text into bytes, as Python 3 writes bytes in protocol 2. One
// text may be turned many times, so what it allocates is bounded.
func (m *machine) latin1(args []any) (any, error) {
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
		items, ok := state[4].(*list)
		if !ok {
			return nil, errors.New("pickled array of objects has no list")
		}
		return &objectArray{shape: shape, items: items.items}, nil
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
	t, ok := v.(*tuple)
	if !ok {
		return nil, errors.New("pickled array has no shape")
	}
	out := make([]int, len(t.items))
	for i, n := range t.items {
		k, ok := n.(int64)
		if !ok || k < 0 {
			return nil, errors.New("pickled array has a shape that is not a list of sizes")
		}
		out[i] = int(k)
	}
	return out, nil
}

// maxDepth bounds how deep values may nest.
const maxDepth = 200

// clean replaces the machine's own types in v by those that ReadObject
// documents.
func clean(v any) (any, error) {
	c := cleaner{done: map[any]any{}}
	v = c.value(v, 0)
	return v, c.err
}

// cleaner visits every container once: a pickle may hold one value in many
// places, and itself.
type cleaner struct {
	done map[any]any
	err  error
}

func (c *cleaner) value(v any, depth int) any {
	if depth > maxDepth {
		c.err = fmt.Errorf("pickle nests deeper than %d", maxDepth)
		return nil
	}
	switch v := v.(type) {
	case *dtype:
		if v.object {
			return "O"
		}
		return v.elem.name()
	case global:
		return &Opaque{Name: string(v)}
	case *pending, *tuple, *list, *objectArray, *Dict, *Opaque:
		if got, ok := c.done[v]; ok {
			return got
		}
		c.done[v] = nil
		c.done[v] = c.container(v, depth+1)
		return c.done[v]
	}
	return v
}

func (c *cleaner) container(v any, depth int) any {
	switch v := v.(type) {
	case *pending:
		return c.value(v.value, depth)
	case *tuple:
		return c.items(v.items, depth)
	case *list:
		return c.items(v.items, depth)
	case *objectArray:
		items := c.items(v.items, depth)
		if len(v.shape) == 0 && len(items) == 1 {
			return items[0] // np.save(path, dictionary) wraps it like this
		}
		return items
	case *Dict:
		v.Values = c.items(v.Values, depth)
	case *Opaque:
		v.Args, v.State = c.items(v.Args, depth), c.value(v.State, depth)
	}
	return v
}

func (c *cleaner) items(in []any, depth int) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = c.value(v, depth)
	}
	return out
}
