package foundation

import (
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/cmd/bench/internal/interleave"
	"wsss/models/backend"
	"wsss/models/onnximport"
	"wsss/models/onnximport/ortref"
)

// work times base.onnx with the inputs of base.json on an engine.
func work(engine, base string, runs int, profile string) error {
	inputs, err := ortref.ReadInputs(base + ".json")
	if err != nil {
		return err
	}
	run, err := open(engine, base+".onnx")
	if err != nil {
		return err
	}
	return interleave.Work(runs, profile, func() error {
		out, err := run(inputs)
		for _, t := range out {
			_ = t.FinalizeAll()
		}
		return err
	})
}

// open returns what runs the file: ONNX Runtime itself, or the import on a
// backend.
func open(engine, path string) (func(map[string]*tensors.Tensor) (map[string]*tensors.Tensor, error), error) {
	if engine == "ort" {
		s, err := ortref.Open(path)
		if err != nil {
			return nil, err
		}
		return s.Run, nil
	}
	b, err := backend.Open(engine)
	if err != nil {
		return nil, err
	}
	m, err := onnximport.Open(path, onnximport.Options{})
	if err != nil {
		return nil, err
	}
	r, err := onnximport.NewRunner(b, m, onnximport.RunnerOptions{NoORT: true})
	if err != nil {
		return nil, err
	}
	return r.Run, nil
}
