package backend

import (
	"github.com/gomlx/compute-onnx/onnxhook"

	"wsss/models/backend/onnxopt"
)

// The graphs of the onnx backend go to ONNX Runtime in the form that it is fast at.
func init() { onnxhook.Register(onnxopt.Rewrite) }
