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

// Open opens a .safetensors file, a PyTorch checkpoint (.pth, .pt, .bin) or MXNet's
// parameters (.params), told apart by their first bytes. Errors name the file.
func Open(path string) (weights.Source, error) {
	head, err := start(path)
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
	return nil, fmt.Errorf("%s: neither a safetensors file nor a PyTorch checkpoint, nor MXNet's parameters", path)
}

// OpenStart opens what a training begins with: a weight file, or a network of
// the manifest by its name. path is where the weights lie.
func OpenStart(init string) (src weights.Source, path string, err error) {
	if path, err = manifest.Start(context.Background(), init); err != nil {
		return nil, "", err
	}
	src, err = Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		var names []string
		for _, family := range manifest.StartFamilies {
			for _, m := range manifest.Family(family) {
				names = append(names, m.Name)
			}
		}
		err = fmt.Errorf("%w: allowed are a weight file, or one of %s", err, strings.Join(names, ", "))
	}
	return src, path, err
}

// start reads the first bytes of a file.
func start(path string) ([]byte, error) {
	f, _, err := files.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return head[:n], nil
}
