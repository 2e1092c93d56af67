// Package adapter changes what GoMLX's backends are given to build and to compile,
// by GoMLX's public interfaces alone: a backend of its own stands before the real
// one, hands on all that it has no part in, and so do its builders, functions,
// executables and buffers.
package adapter

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
)

// Options are what a backend does otherwise than the one behind it.
type Options struct {
	// Function stands before the functions of a graph; nil leaves them alone.
	Function func(f compute.Function) compute.Function
	// Builder and Compile replace the builder and what compiles it, both or none.
	Builder func(name string) compute.Builder
	Compile func(b compute.Builder) (compute.Executable, error)
}

// Backend is another backend with Options. It takes the values of variables as
// inputs of a graph, never as its constants: as those they would be in memory
// once more for each shape, and training would not change them.
type Backend struct {
	compute.Backend
	options Options
}

// New puts a backend before b.
func New(b compute.Backend, o Options) *Backend { return &Backend{b, o} }

// Capabilities are those of the backend behind, without its wish for constants.
func (b *Backend) Capabilities() compute.Capabilities {
	c := b.Backend.Capabilities()
	c.PreferConstantsForVariables = false
	return c
}

// Builder makes a builder of graphs.
func (b *Backend) Builder(name string) compute.Builder {
	make := b.Backend.Builder
	if b.options.Builder != nil {
		make = b.options.Builder
	}
	inner := &builder{Builder: make(name), backend: b}
	inner.main = inner.function(inner.Builder.Main())
	return inner
}

type builder struct {
	compute.Builder
	backend *Backend
	main    compute.Function
}

func (b *builder) Main() compute.Function { return b.main }

func (b *builder) NewFunction(name string) (compute.Function, error) {
	f, err := b.Builder.NewFunction(name)
	if err != nil {
		return nil, err
	}
	return b.function(f), nil
}

func (b *builder) function(f compute.Function) compute.Function {
	if b.backend.options.Function == nil {
		return f
	}
	return b.backend.options.Function(f)
}

func (b *builder) Compile() (compute.Executable, error) {
	compile := b.backend.options.Compile
	if compile == nil {
		compile = compute.Builder.Compile
	}
	e, err := compile(b.Builder)
	if err != nil {
		return nil, err
	}
	return &executable{e, b.backend}, nil
}

type executable struct {
	compute.Executable
	backend *Backend
}

// Execute hands on the buffers behind inputs, and puts buffers before the results.
func (e *executable) Execute(inputs []compute.Buffer, donate []bool, device compute.DeviceNum) ([]compute.Buffer, error) {
	behind := make([]compute.Buffer, len(inputs))
	for i, in := range inputs {
		b, ok := in.(*buffer)
		if !ok || b.backend != e.backend {
			return nil, fmt.Errorf("input %d is no buffer of backend %s", i, e.backend.Name())
		}
		behind[i] = b.Buffer
	}
	out, err := e.Executable.Execute(behind, donate, device)
	if err != nil {
		return nil, err
	}
	for i, b := range out {
		out[i] = &buffer{b, e.backend}
	}
	return out, nil
}

// buffer names the backend before the real one as its own, as GoMLX moves what
// other backends own.
type buffer struct {
	compute.Buffer
	backend *Backend
}

func (b *buffer) Backend() compute.Backend { return b.backend }

func (b *buffer) CopyToDevice(device compute.DeviceNum) (compute.Buffer, error) {
	c, err := b.Buffer.CopyToDevice(device)
	if err != nil {
		return nil, err
	}
	return &buffer{c, b.backend}, nil
}

// BufferFromFlatData copies data into a new buffer.
func (b *Backend) BufferFromFlatData(device compute.DeviceNum, flat any, shape shapes.Shape) (compute.Buffer, error) {
	c, err := b.Backend.BufferFromFlatData(device, flat, shape)
	if err != nil {
		return nil, err
	}
	return &buffer{c, b}, nil
}

// NewSharedBuffer makes a buffer and gives access to its data.
func (b *Backend) NewSharedBuffer(device compute.DeviceNum, shape shapes.Shape) (compute.Buffer, any, error) {
	c, flat, err := b.Backend.NewSharedBuffer(device, shape)
	if err != nil {
		return nil, nil, err
	}
	return &buffer{c, b}, flat, nil
}
