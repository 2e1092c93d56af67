package onnxhook

/*
typedef void *(*disableMemPattern)(void *options);

// The table of ONNX Runtime's C interface only ever grows at its end.
enum { DISABLE_MEM_PATTERN = 17 };

static void *without_pattern(void **api, void *options) {
	return ((disableMemPattern)api[DISABLE_MEM_PATTERN])(options);
}
*/
import "C"

import (
	"errors"
	"unsafe"
	_ "unsafe" // for go:linkname

	"github.com/gomlx/compute-onnx/internal/engine/native"
	"github.com/gomlx/compute-onnx/internal/executionprovider"
	"github.com/gomlx/compute-onnx/internal/ort"
	"github.com/gomlx/compute/shapes"
)

// ortAPI is ONNX Runtime's table of functions, to which the backend has no
// getter.
//
//go:linkname ortAPI github.com/gomlx/compute-onnx/internal/ort.ortApi
var ortAPI *unsafe.Pointer

// defaultSeverity logs errors alone, as the backend does.
const defaultSeverity = 3

// session compiles a model. On the CPU it has no plan of its memory: ONNX
// Runtime makes one in the first run, for a block that the second run takes as a
// whole, beside the arena that the first has filled and that stays. A step of
// training ResNet-101 took 2.6 GiB in its first run and 4.3 from the second on.
func session(model []byte, inputs []string, inputShapes []shapes.Shape, outputs []string, on executionprovider.Type, severity int) (*ort.DynamicAdvancedSession, error) {
	if on == executionprovider.CPU {
		if s, err := unplanned(model, inputs, outputs, severity); err == nil {
			return s, nil
		}
	}
	// The backend explains errors.
	return native.CreateSession(model, inputs, inputShapes, outputs, on, severity, nil)
}

// unplanned is a session on the CPU without a plan of its memory.
func unplanned(model []byte, inputs, outputs []string, severity int) (*ort.DynamicAdvancedSession, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer func() { _ = options.Destroy() }()
	if severity < 0 {
		severity = defaultSeverity
	}
	if err := options.SetSessionLogSeverityLevel(severity); err != nil {
		return nil, err
	}
	// The options are a struct of one pointer.
	if status := C.without_pattern(ortAPI, *(*unsafe.Pointer)(unsafe.Pointer(options))); status != nil {
		return nil, errors.New("ONNX Runtime refuses to run without a plan of its memory")
	}
	return ort.NewDynamicAdvancedSessionWithONNXData(model, inputs, outputs, options)
}
