// Package formats opens weight files of every format that wsss reads.
package formats

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"wsss/checkpoints/files"
	"wsss/checkpoints/safetensors"
	"wsss/models/manifest"
	"wsss/models/weights"
	"wsss/models/weights/mxnet"
	"wsss/models/weights/pth"
)

// Open opens a .safetensors file, a PyTorch checkpoint (.pth, .pt, .bin), a pickle of
// NumPy arrays (Detectron2's .pkl) or MXNet's parameters (.params), told apart by their first bytes. Errors name the file.
func Open(path string) (weights.Source, error) {
	head, err := firstBytes(path)
	if err != nil {
		return nil, err
	}
	if pth.IsCheckpoint(head) {
		return pth.Open(path)
	}
	if mxnet.Is(head) {
		return mxnet.Open(path)
	}
	// Eight bytes of length, then JSON.
	if len(head) > 8 && head[8] == '{' {
		return safetensors.Open(path)
	}
	if what := files.Placeholder(head); what != "" {
		return nil, fmt.Errorf("%s: neither a safetensors file nor a PyTorch checkpoint: %s", path, what)
	}
	return nil, fmt.Errorf("%s: neither a safetensors file nor a PyTorch checkpoint, nor MXNet's parameters", path)
}

// OpenInitial opens what a training begins with: a weight file, or a network of
// the manifest by its name. path is where the weights lie.
func OpenInitial(init string) (src weights.Source, path string, err error) {
	if path, err = manifest.InitialWeights(context.Background(), init); err != nil {
		return nil, "", err
	}
	src, err = Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		var names []string
		for _, m := range manifest.Models() {
			if manifest.IsInitial(m) {
				names = append(names, m.Name)
			}
		}
		err = fmt.Errorf("%w: allowed are a weight file, or one of %s", err, strings.Join(names, ", "))
	}
	return src, path, err
}

// firstBytes reads the first bytes of a file.
func firstBytes(path string) ([]byte, error) {
	f, _, err := files.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 64)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return head[:n], nil
}
