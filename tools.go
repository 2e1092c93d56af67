//go:build tools

// Package tools pins modules that code under development is about to import.
package tools

import (
	_ "github.com/gomlx/compute-onnx/support/protos"
	_ "github.com/gomlx/go-huggingface/hub"
	_ "github.com/gomlx/go-huggingface/tokenizers"
	_ "github.com/gomlx/gomlx/ml/train"
	_ "github.com/gomlx/onnx-gomlx/onnx"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/nlpodyssey/gopickle/pytorch"
	_ "github.com/schollz/progressbar/v3"
	_ "github.com/yalue/onnxruntime_go"
	_ "golang.org/x/image/draw"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/text/unicode/norm"
	_ "google.golang.org/protobuf/proto"
)
