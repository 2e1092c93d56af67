package manifest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"wsss/checkpoints/files"
)

// ErrUnknown is wrapped by the error for a name that is neither a file nor a model.
var ErrUnknown = errors.New("is no file and no known model; `wsss models list` shows those")

// Graphs lists the ONNX files of a model, or the file of this name.
func (s *Store) Graphs(ctx context.Context, name string) ([]string, error) {
	if _, err := files.Stat(name); err == nil {
		return []string{name}, nil
	}
	m, err := Find(name)
	if err != nil {
		return nil, fmt.Errorf("%q %w", name, ErrUnknown)
	}
	var paths []string
	for _, file := range m.Files {
		if strings.HasSuffix(file.Name(), ".onnx") {
			path, err := s.File(ctx, m.Name, file.Role)
			if err != nil {
				return nil, err
			}
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// GraphsOf lists Graphs of several names.
func (s *Store) GraphsOf(ctx context.Context, names []string) (paths []string, err error) {
	for _, name := range names {
		more, err := s.Graphs(ctx, name)
		if err != nil {
			return nil, err
		}
		paths = append(paths, more...)
	}
	return paths, nil
}
