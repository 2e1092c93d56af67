package files

import (
	"fmt"
	"io"
)

// Held is the open file of what reads it where it is needed, for embedding: its name in
// errors, and Close.
type Held struct {
	Name   string
	closer io.Closer
}

// Hold is Parse's.
func (h *Held) Hold(name string, file io.Closer) { h.Name, h.closer = name, file }

// Close closes the file.
func (h *Held) Close() error {
	if h.closer == nil {
		return nil
	}
	return h.closer.Close()
}

// Parse opens a regular file that is read where it is needed, and has its beginning
// parsed. The file stays open until what parse made is closed; errors name it.
func Parse[T interface {
	Hold(name string, file io.Closer)
}](path string, parse func(r io.ReaderAt, size int64) (T, error)) (v T, err error) {
	f, size, err := OpenRegular(path)
	if err != nil {
		return v, err
	}
	if v, err = parse(f, size); err != nil {
		f.Close()
		return v, fmt.Errorf("%s: %w", path, err)
	}
	v.Hold(path, f)
	return v, nil
}
