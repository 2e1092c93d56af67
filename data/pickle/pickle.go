// Package pickle reads Python pickles of protocols 2 to 5 as data. It is a small
// interpreter that builds plain values; no class is ever called: those that the
// caller knows it makes itself, any other becomes an Opaque.
package pickle

import "fmt"

// maxSteps bounds the opcodes of a pickle, and so the values it makes; the
// labels of all of COCO take about two million.
const maxSteps = 1 << 24

// maxMemory bounds the bytes of the values that a pickle makes, beside those
// that it holds itself; the labels of all of COCO take some 60 MB.
const maxMemory = 1 << 27

// maxDepth bounds how deep values may nest.
const maxDepth = 200

// Dict is a Python dictionary, in file order. Keys are usually string or int64.
type Dict struct {
	Keys   []any
	Values []any
}

// Get returns the value of a string key, or nil.
func (d *Dict) Get(key string) any {
	for i, k := range d.Keys {
		if k == key {
			return d.Values[i]
		}
	}
	return nil
}

// Opaque is an object of a class that the reader does not know: its
// constructor's name and arguments, not called.
type Opaque struct {
	Name  string // "module.attribute"
	Args  []any
	State any // what the object would have been restored from
}

// What a pickle holds while it is read, as a Reader's functions see it; Plain
// replaces these.
type (
	Global string // a class or function, "module.attribute"
	Tuple  struct{ Items []any }
	List   struct{ Items []any }
)

// Stateful is an object made by Reader.Construct that is told its state.
type Stateful interface{ SetState(state any) error }

// Wrapper is a pointer made by Reader.Construct that Plain replaces by another
// value.
type Wrapper interface{ Plain() any }

// Reader says what a pickle may make beside plain values. Its functions take
// and return values as they are while being read.
type Reader struct {
	// Construct makes an object of a named class, or returns nil for one that
	// it does not know.
	Construct func(name string, args []any) (any, error)
	// Persistent resolves a reference to data outside the pickle.
	Persistent func(id any) (any, error)
}

// Read reads one pickle from the start of in and returns its value, as Plain
// describes it, and what follows it.
func (r Reader) Read(in []byte) (value any, rest []byte, err error) {
	m := &machine{Reader: r, in: in, memo: map[uint32]any{}}
	v, err := m.run()
	if err != nil {
		return nil, nil, err
	}
	v, err = Plain(v)
	return v, m.in, err
}

// Plain replaces the types of a pickle being read: tuples and lists become
// []any, classes *Opaque, wrappers what they hold. What remains is nil, bool,
// int64, float64, string, []byte, []any, *Dict, *Opaque and what Construct and
// Persistent made.
func Plain(v any) (any, error) {
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
	case Global:
		return &Opaque{Name: string(v)}
	case Wrapper, *Tuple, *List, *Dict, *Opaque:
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
	case Wrapper:
		return c.value(v.Plain(), depth)
	case *Tuple:
		return c.items(v.Items, depth)
	case *List:
		return c.items(v.Items, depth)
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
