package torture

import (
	"context"
	_ "embed"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// Between two executions Go's fuzzer looks at every counter of the test binary,
// one by one: a millisecond where a network is linked, a hundred times what most
// parsers take. overlay.txt has the same functions that pass over counters of
// zero by the block, which nearly all are. What is instrumented, counted and
// kept stays the same.
//
//go:embed overlay.txt
var overlayFunctions string

// fuzzerFile is where they stand, in Go's own folder.
const fuzzerFile = "src/internal/fuzz/coverage.go"

// fuzzGo is the Go that builds fuzz targets with these functions: a command and
// its flags, and what is to be in its environment. It is the usual one where
// this Go's functions are not those that were known.
func fuzzGo(ctx context.Context, dir string) (args, env []string, err error) {
	usual := []string{"go", "test"}
	root, err := output(ctx, "go", "env", "GOROOT")
	if err != nil {
		return nil, nil, err
	}
	root = strings.TrimSpace(root)
	raw, err := os.ReadFile(filepath.Join(root, fuzzerFile))
	if err != nil {
		return usual, nil, nil
	}
	text, ok := replaceFunctions(string(raw), overlayFunctions)
	if !ok {
		return usual, nil, nil
	}
	// Of a toolchain that Go fetched itself no file may be overlaid; through a
	// link it is one that lies elsewhere.
	link, own, list := filepath.Join(dir, "go"), filepath.Join(dir, "coverage.go"), filepath.Join(dir, "overlay.json")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(link, fuzzerFile): own}})
	if err = firstError(err, os.Symlink(root, link), os.WriteFile(own, []byte(text), 0o644), os.WriteFile(list, overlay, 0o644)); err != nil {
		return nil, nil, err
	}
	return []string{filepath.Join(link, "bin/go"), "test", "-overlay", list}, []string{"GOROOT=" + link}, nil
}

// replaceFunctions puts new functions in place of old ones. pairs has each as it
// is, a line "=>", and as it is to be, with a line "---" between two pairs.
func replaceFunctions(text, pairs string) (string, bool) {
	for pair := range strings.SplitSeq(pairs, "\n---\n") {
		old, fresh, _ := strings.Cut(pair, "\n=>\n")
		if old = strings.Trim(old, "\n"); old == "" || strings.Count(text, old) != 1 {
			return "", false
		}
		text = strings.Replace(text, old, strings.Trim(fresh, "\n"), 1)
	}
	return text, true
}
