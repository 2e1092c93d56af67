package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sort"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/files"
)

// WriteFile writes tensors and metadata atomically. The same content always
// gives the same bytes.
func WriteFile(path string, values map[string]*tensors.Tensor, metadata map[string]string) error {
	return files.WriteAtomic(path, func(w io.Writer) error { return Write(w, values, metadata) })
}

type entry struct {
	name  string
	dtype DType
	t     *tensors.Tensor
}

// Write streams the file, one tensor at a time: wider types first, so that
// every tensor is aligned, then by name.
func Write(w io.Writer, values map[string]*tensors.Tensor, metadata map[string]string) error {
	var entries []entry
	for name, t := range values {
		if name == metadataKey {
			return fmt.Errorf("tensor name %q is reserved", name)
		}
		d, err := dtypeOf(t.DType())
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		entries = append(entries, entry{name, d, t})
	}
	sort.Slice(entries, func(i, j int) bool {
		a, b := entries[i], entries[j]
		if a.dtype.Size() != b.dtype.Size() {
			return a.dtype.Size() > b.dtype.Size()
		}
		return a.name < b.name
	})

	header, err := headerOf(entries, metadata)
	if err != nil {
		return err
	}
	if err := binary.Write(w, binary.LittleEndian, uint64(header.Len())); err != nil {
		return err
	}
	if _, err := w.Write(header.Bytes()); err != nil {
		return err
	}
	for _, e := range entries {
		if e.t.Size() == 0 {
			continue
		}
		var writeErr error
		if err := e.t.ConstBytes(func(data []byte) { _, writeErr = w.Write(data) }); err != nil {
			return fmt.Errorf("tensor %q: %w", e.name, err)
		}
		if writeErr != nil {
			return writeErr
		}
	}
	return nil
}

// headerOf describes the tensors in the order in which they are written, padded to
// eight bytes.
func headerOf(entries []entry, metadata map[string]string) (*bytes.Buffer, error) {
	var header bytes.Buffer
	header.WriteByte('{')
	field := func(name string, v any) error {
		if header.Len() > 1 {
			header.WriteByte(',')
		}
		for i, x := range []any{name, v} {
			b, err := json.Marshal(x) // maps come out with sorted keys
			if err != nil {
				return err
			}
			header.Write(b)
			if i == 0 {
				header.WriteByte(':')
			}
		}
		return nil
	}
	if len(metadata) > 0 {
		if err := field(metadataKey, metadata); err != nil {
			return nil, err
		}
	}
	at := int64(0)
	for _, e := range entries {
		n := int64(e.t.Size()) * e.dtype.Size()
		dims := append([]int{}, e.t.Shape().Dimensions...)
		if err := field(e.name, struct {
			DType   DType    `json:"dtype"`
			Shape   []int    `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}{e.dtype, dims, [2]int64{at, at + n}}); err != nil {
			return nil, err
		}
		at += n
	}
	header.WriteByte('}')
	for header.Len()%8 != 0 {
		header.WriteByte(' ')
	}
	if header.Len() > MaxHeader {
		return nil, fmt.Errorf("header of %d bytes: at most %d are allowed", header.Len(), MaxHeader)
	}
	return &header, nil
}
