package weak

import (
	"fmt"
	"path/filepath"
	"strings"

	"wsss/checkpoints/files"
)

// Base is the coordinate of the first pixel in scribble files: 0 or 1, or
// found out from the files. Public readers of ScribbleSup disagree
// (docs/sources.md §9). The zero value finds out.
type Base struct {
	known bool
	first int
}

// scribbleBase is a known base.
func scribbleBase(first int) Base { return Base{known: true, first: first} }

// UnmarshalTOML reads 0, 1 or "auto".
func (b *Base) UnmarshalTOML(v any) error {
	switch v {
	case "auto":
		*b = Base{}
	case int64(0), "0":
		*b = scribbleBase(0)
	case int64(1), "1":
		*b = scribbleBase(1)
	default:
		return fmt.Errorf("scribble_base = %v: allowed are 0, 1 and \"auto\"", v)
	}
	return nil
}

func (b Base) resolve(dir string) (int, error) {
	if b.known {
		return b.first, nil
	}
	return DetectBase(dir)
}

// detectFiles bounds the scribble files that DetectBase reads.
const detectFiles = 400

// DetectBase finds out whether the scribbles of a folder count pixels from 0
// or from 1: only the former can lie on 0, only the latter on the width or the
// height. It looks at the first files by name. Both kinds occur where points
// lie outside their image; ten times more of one settle it. The error asks for
// the option.
func DetectBase(dir string) (int, error) {
	entries, err := files.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	zero, full, read := 0, 0, 0
	for _, e := range entries {
		if e.IsDir() || !strings.EqualFold(filepath.Ext(e.Name()), ".xml") {
			continue
		}
		if read++; read > detectFiles {
			break
		}
		s, err := ReadScribbles(filepath.Join(dir, e.Name()), 0, nil)
		if err != nil {
			return 0, err
		}
		zero += s.onZero
		full += s.onSize
	}
	switch {
	case zero > 10*full:
		return 0, nil
	case full > 10*zero:
		return 1, nil
	}
	return 0, fmt.Errorf("%s: cannot tell whether scribbles count pixels from 0 or 1 (%d coordinates are 0, %d are the width or height): set data.options.scribble_base = 0 or 1",
		dir, zero, full)
}
