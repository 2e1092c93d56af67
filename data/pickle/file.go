package pickle

import (
	"fmt"
	"io"
)

// Span is where in a file the bytes of a long byte string stand.
type Span struct{ Offset, Size int64 }

// leastSpan is from how many bytes on a byte string of a file becomes a Span.
const leastSpan = 1 << 12

// Of a file: bytes that are read at a time, and of a line at most.
const (
	chunk   = 1 << 16
	maxLine = 1 << 16
)

// rest is what of a file is not read yet.
type rest struct {
	from     io.ReaderAt // nil where there is no file
	at, size int64       // its place and size
}

// ReadFile is Read of the first size bytes of a file, of which little is in memory
// at a time: byte strings of 4,096 bytes and more become a Span.
func (r Reader) ReadFile(from io.ReaderAt, size int64) (value any, err error) {
	m := &machine{Reader: r, file: rest{from: from, size: size}, memo: map[uint32]any{}}
	v, err := m.run()
	if err != nil {
		return nil, err
	}
	return Plain(v)
}

// fill reads on in the file until n bytes are at hand. Those that were taken
// before may still be held, so none is written over.
func (m *machine) fill(n int) error {
	missing := int64(n) - int64(len(m.in))
	if n < 0 || missing > m.file.size {
		return errCut
	}
	if missing <= 0 {
		return nil
	}
	missing = min(max(missing, chunk), m.file.size)
	in := make([]byte, len(m.in)+int(missing))
	had := copy(in, m.in)
	if got, err := m.file.from.ReadAt(in[had:], m.file.at); got < len(in)-had {
		return fmt.Errorf("reading on at byte %d: %w", m.file.at, err)
	}
	m.in, m.file.at, m.file.size = in, m.file.at+missing, m.file.size-missing
	return nil
}

// skip passes over n bytes that are there.
func (m *machine) skip(n int) Span {
	s := Span{m.file.at - int64(len(m.in)), int64(n)}
	behind := min(n, len(m.in))
	m.in = m.in[behind:]
	m.file.at, m.file.size = m.file.at+int64(n-behind), m.file.size-int64(n-behind)
	return s
}
