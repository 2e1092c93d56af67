package files

import (
	"fmt"
	"io"
)

// Parse opens a regular file that is read where it is needed, and has its beginning
// parsed. The file stays open until it is closed; errors name it.
func Parse[T any](path string, parse func(r io.ReaderAt, size int64) (T, error)) (T, io.Closer, error) {
	f, size, err := OpenRegular(path)
	if err != nil {
		var none T
		return none, nil, err
	}
	v, err := parse(f, size)
	if err != nil {
		f.Close()
		return v, nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, f, nil
}
