package official

import (
	"fmt"
	"io"

	"wsss/checkpoints/files"
	"wsss/checkpoints/safetensors"
	"wsss/models/weights"
	"wsss/models/weights/pth"
)

// storage is a file of weights that a graph can point into.
type storage interface {
	weights.Source
	// Place finds a tensor in the file; ok is false where its elements do not
	// stand one after another.
	Place(name string) (place pth.Place, ok bool, err error)
}

// openStorage opens a PyTorch checkpoint or a safetensors file, told apart by
// their first bytes.
func openStorage(path string) (storage, error) {
	f, size, err := files.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	head := make([]byte, min(size, 16))
	_, err = f.ReadAt(head, 0)
	f.Close()
	switch {
	case err != nil && err != io.EOF:
		return nil, fmt.Errorf("%s: %w", path, err)
	case len(head) > 8 && head[8] == '{': // eight bytes of length, then JSON
		r, err := safetensors.Open(path)
		return tensorsFile{r}, err
	}
	return pth.Open(path)
}

// tensorsFile is a safetensors file.
type tensorsFile struct{ *safetensors.Reader }

// Place is storage's. Elements always stand one after another.
func (t tensorsFile) Place(name string) (p pth.Place, ok bool, err error) {
	shape, err := t.Shape(name)
	if err != nil {
		return p, false, err
	}
	info, _ := t.Info(name)
	p = pth.Place{Shape: shape, Offset: info.Begin, Bytes: info.End - info.Begin}
	p.DType, err = info.DType.GoMLX()
	return p, err == nil, err
}
