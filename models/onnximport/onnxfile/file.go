// Package onnxfile reads ONNX model files. Only the structure of a model is
// held in memory; weights stay on disk, inside the model file or in the
// external-data files beside it, and are read once, straight to where they go.
package onnxfile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"

	"wsss/checkpoints/files"
)

// File is an open ONNX model. It is safe for concurrent use.
type File struct {
	Path  string
	Proto *protos.ModelProto // without bulk tensor data: read tensors with Tensor

	mu    sync.Mutex
	files map[string]*os.File // by external location; selfLocation is the model
	sizes map[string]int64
	hash  string
}

// Open reads the structure of the ONNX model at path. Memory is bounded
// whatever the file holds: well below 1 GB besides weights, which are not read.
func Open(path string) (*File, error) {
	f := &File{Path: path, files: map[string]*os.File{}, sizes: map[string]int64{}}
	if err := f.open(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: not a usable ONNX model: %w", path, err)
	}
	return f, nil
}

func (f *File) open() error {
	file, size, err := f.external(selfLocation)
	if err != nil {
		return err
	}
	skel, err := skeleton(file, size)
	if err != nil {
		head := make([]byte, 64)
		n, _ := file.ReadAt(head, 0)
		if what := files.Placeholder(head[:n]); what != "" {
			return errors.New(what)
		}
		return err
	}
	f.Proto = new(protos.ModelProto)
	if err := proto.Unmarshal(skel, f.Proto); err != nil {
		return err
	}
	if f.Proto.Graph == nil || len(f.Proto.Graph.Output) == 0 {
		if size == 0 {
			return errors.New(files.Placeholder(nil))
		}
		return errors.New("it has no graph")
	}
	return order(f.Proto.Graph, 0)
}

// Metadata are the notes that the file's maker left in it.
func (f *File) Metadata() map[string]string {
	notes := map[string]string{}
	for _, p := range f.Proto.MetadataProps {
		notes[p.GetKey()] = p.GetValue()
	}
	return notes
}

// Close releases the open files.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for _, file := range f.files {
		errs = append(errs, file.Close())
	}
	clear(f.files)
	return errors.Join(errs...)
}

// external returns the open file for an external-data location.
func (f *File) external(location string) (*os.File, int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if file := f.files[location]; file != nil {
		return file, f.sizes[location], nil
	}
	path := f.Path
	if location != selfLocation {
		var err error
		if path, err = files.Join(filepath.Dir(f.Path), location); err != nil {
			return nil, 0, err
		}
	}
	file, size, err := files.OpenRegular(path)
	if err != nil && location != selfLocation {
		return nil, 0, fmt.Errorf("%s keeps its weights in a file beside it (external data): %w", f.Path, err)
	}
	if err != nil {
		return nil, 0, err
	}
	f.files[location], f.sizes[location] = file, size
	return file, size, nil
}

// Hash returns the SHA-256 of the model file in hexadecimal. For a model with
// external data it is the SHA-256 over one line "hash  location" per file, the
// model first, the others by name.
func (f *File) Hash() (string, error) {
	f.mu.Lock()
	known := f.hash
	f.mu.Unlock()
	if known != "" {
		return known, nil
	}
	hash, err := f.hashOf(selfLocation)
	if err != nil {
		return "", err
	}
	if locations := f.locations(); len(locations) > 0 {
		all := sha256.New()
		fmt.Fprintf(all, "%s  model\n", hash)
		for _, location := range locations {
			h, err := f.hashOf(location)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(all, "%s  %s\n", h, location)
		}
		hash = hex.EncodeToString(all.Sum(nil))
	}
	f.mu.Lock()
	f.hash = hash
	f.mu.Unlock()
	return hash, nil
}

func (f *File) hashOf(location string) (string, error) {
	file, size, err := f.external(location)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(file, 0, size)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// locations lists the external-data files that initializers name, sorted.
func (f *File) locations() []string {
	var all []string
	for _, t := range f.Proto.Graph.Initializer {
		for _, kv := range t.ExternalData {
			if kv.Key == "location" && kv.Value != selfLocation {
				all = append(all, kv.Value)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
