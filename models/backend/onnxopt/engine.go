package onnxopt

import (
	"bytes"
	"fmt"

	"github.com/gomlx/compute"
	onnx "github.com/gomlx/compute-onnx"
	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"

	"wsss/models/backend/adapter"
)

// Open opens the onnx backend by an option string of its own and has it rewrite
// every graph before ONNX Runtime compiles it for good. The backend gives a
// graph away only once it is compiled, so that a draft is, without any
// optimisation.
//
// ONNX Runtime has no plan of its memory: it makes one in the first run, for a
// block that the second run takes as a whole, beside the arena that the first has
// filled and that stays. And there is one session per graph: more would be as
// many arenas.
func Open(config string) (compute.Backend, error) {
	b, err := onnx.New(config + ",mem_pattern=false,session_clones=1")
	if err != nil {
		return nil, err
	}
	d, err := onnx.New(config + ",graph_optimization_level=0,session_clones=1")
	if err != nil {
		return nil, err
	}
	draft, ok := d.(*onnx.Backend)
	if !ok {
		return nil, fmt.Errorf("the onnx backend is of type %T", d)
	}
	draft.SetKeepModelProto(true)
	return adapter.New(b, adapter.Options{Builder: draft.Builder, Compile: func(g compute.Builder) (compute.Executable, error) {
		return compile(b, g)
	}}), nil
}

func compile(b compute.Backend, g compute.Builder) (compute.Executable, error) {
	draft, err := g.Compile()
	if err != nil {
		return nil, err
	}
	defer draft.Finalize()
	m, ok := draft.(interface{ ModelProto() *protos.ModelProto })
	if !ok || m.ModelProto() == nil {
		return nil, fmt.Errorf("the onnx backend keeps no graph of what it compiles")
	}
	Rewrite(m.ModelProto().Graph)
	raw, err := proto.Marshal(m.ModelProto())
	if err != nil {
		return nil, err
	}
	return onnx.LoadModel(b, bytes.NewReader(raw))
}
