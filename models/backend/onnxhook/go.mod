module github.com/gomlx/compute-onnx/onnxhook

go 1.26.5

require (
	github.com/gomlx/compute v0.1.6
	github.com/gomlx/compute-onnx v0.1.5
	google.golang.org/protobuf v1.36.11
)
