package starter

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"wsss/cmd/pipeline"
)

// ConfigPath is the file to write, which must not exist: out, or one named after
// the folder of the images.
func ConfigPath(out, root string) (string, error) {
	if out == "" {
		full, err := filepath.Abs(root) // "." has a name too
		if err != nil {
			return "", err
		}
		out = filepath.Base(full) + ".toml"
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		return "", pipeline.Usagef("%s exists already: name another file with -out, or remove it", out)
	}
	return out, nil
}
