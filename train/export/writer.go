package export

import (
	"fmt"
	"path/filepath"
	"strings"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
)

// Writer is what writes a checkpoint, by the ending of out: ONNX or Safetensors. Addresses
// of object storage become paths, in place. It refuses a checkpoint that is not there, and
// to replace one.
func Writer(checkpoint, out *string) (write func(checkpoint, out string, warn func(string)) error, err error) {
	if *checkpoint, err = files.Mount("-checkpoint", *checkpoint, false); err == nil {
		*out, err = files.Mount("-out", *out, false)
	}
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(filepath.Ext(*out)) { // of the path: an address may end in options
	case ".onnx":
		write = ONNX
	case ".safetensors":
		write = Safetensors
	default:
		return nil, fmt.Errorf("-out %s: allowed endings are .onnx, .safetensors", *out)
	}
	if !files.Exists(*checkpoint) {
		return nil, fmt.Errorf("-checkpoint %s: there is no file or folder %s", *checkpoint, *checkpoint)
	}
	if files.Same(*checkpoint, *out) {
		return nil, fmt.Errorf("-out %s would replace the checkpoint: choose another name", *out)
	}
	if c, err := checkpoints.Open(*out); err == nil {
		c.Close()
		return nil, fmt.Errorf("-out %s would replace a checkpoint: choose another name", *out)
	}
	return write, nil
}
