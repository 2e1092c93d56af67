// Package onnxhook lets a program outside of GoMLX change the ONNX graphs that
// the onnx backend makes before ONNX Runtime gets them. What this takes is
// internal to that backend's module, so this package is a module below its path,
// replaced by this folder in go.mod.
package onnxhook

import (
	"fmt"

	"github.com/gomlx/compute"
	onnxbackend "github.com/gomlx/compute-onnx"
	"github.com/gomlx/compute-onnx/internal/engine/native"
	"github.com/gomlx/compute-onnx/internal/executionprovider"
	"github.com/gomlx/compute-onnx/internal/graph"
	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/shapes"
	"google.golang.org/protobuf/proto"
)

// Register has the backends "onnx" and "onnxruntime" pass every graph through
// rewrite before it is compiled. Call it while packages initialise.
func Register(rewrite func(*protos.GraphProto)) {
	if !onnxbackend.IsSupportedPlatform() {
		return
	}
	open := func(config string) (compute.Backend, error) {
		b, err := onnxbackend.New(config)
		if err != nil {
			return nil, err
		}
		plain, ok := b.(*onnxbackend.Backend)
		if !ok || provider(plain) == executionprovider.MIGraphX { // it has options that are out of reach
			return b, nil
		}
		return &engine{plain, rewrite}, nil
	}
	compute.Register(onnxbackend.BackendName, open)
	compute.Register("onnx", open)
}

// engine is the backend with another compiler. Buffers and executables must
// name it as theirs, so what makes them is here as well.
type engine struct {
	*onnxbackend.Backend
	rewrite func(*protos.GraphProto)
}

func provider(b *onnxbackend.Backend) executionprovider.Type { return b.ExecutionProvider() }

// Builder makes a builder of graphs that are rewritten when compiled.
func (e *engine) Builder(name string) compute.Builder {
	b := graph.NewBuilder(name, e.compile)
	b.SetExecutionProvider(provider(e.Backend))
	b.SetLogSeverity(e.LogSeverity())
	return b
}

func (e *engine) compile(b *graph.Builder) (compute.Executable, error) {
	c, err := graph.CompileToProto(b)
	if err != nil {
		return nil, err
	}
	can := e.Capabilities().DTypes
	for dtype := range c.UsedDTypes {
		if !can[dtype] {
			return nil, fmt.Errorf("%w: %s does not support %s", compute.ErrNotImplemented, e.Description(), dtype)
		}
	}
	c.ModelBytes = nil
	e.rewrite(c.Model.Graph)
	raw, err := proto.Marshal(c.Model)
	if err != nil {
		return nil, err
	}
	session, err := session(raw, c.InputNames, c.InputShapes, c.OutputNames, provider(e.Backend), e.LogSeverity())
	if err != nil {
		return nil, err
	}
	var kept *protos.ModelProto
	if e.KeepModelProto() {
		kept = c.Model
	}
	return native.NewExecutable(e, session, c.InputNames, c.InputShapes, c.OutputNames, c.OutputShapes, kept, provider(e.Backend)), nil
}

// BufferFromFlatData copies data into a new buffer.
func (e *engine) BufferFromFlatData(device compute.DeviceNum, flat any, shape shapes.Shape) (compute.Buffer, error) {
	t, err := native.NewOrtTensorWrapper(shape, flat)
	if err != nil {
		return nil, err
	}
	return native.NewBuffer(e, t, shape, device, provider(e.Backend), nil), nil
}

// NewSharedBuffer makes a buffer and gives access to its data.
func (e *engine) NewSharedBuffer(device compute.DeviceNum, shape shapes.Shape) (compute.Buffer, any, error) {
	t, err := native.NewEmptyOrtTensorWrapper(shape)
	if err != nil {
		return nil, nil, err
	}
	return native.NewBuffer(e, t, shape, device, provider(e.Backend), nil), t.GetData(), nil
}
