package backend

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute"
	onnx "github.com/gomlx/compute-onnx"
	"github.com/gomlx/compute/gobackend"

	"wsss/models/backend/adapter"
	"wsss/models/backend/goslack"
	"wsss/models/backend/onnxopt"
)

// open opens the backend of a resolved spec: go and onnx with what adapter and
// onnxopt change of them.
func open(spec string) (compute.Backend, error) {
	name, options, _ := strings.Cut(spec, ":")
	switch {
	case name == "go":
		b, err := gobackend.New(options)
		if err != nil {
			return nil, err
		}
		if err := goslack.Give(b, goslack.Heap); err != nil {
			return nil, fmt.Errorf("this version of GoMLX is not known: %w", err)
		}
		return adapter.New(b, adapter.Options{Function: adapter.Direct}), nil
	case name == "onnx" && strings.HasPrefix(options, "migraphx"): // it computes a part of the types and shapes, and ScatterND by atomic sums
		b, err := onnx.New(options)
		if err != nil {
			return nil, err
		}
		return adapter.New(b, adapter.Options{}), nil
	case name == "onnx":
		return onnxopt.Open(options)
	}
	return compute.NewWithConfig(spec)
}
