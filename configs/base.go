package configs

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxBases bounds how far files may build on each other.
const maxBases = 8

// readTree reads a config file and what it builds on: the top-level key base
// names a file, relative to the one that names it, whose keys hold where the
// file has none of its own. Tables are merged key by key; anything else,
// arrays of tables too, is replaced as a whole. Bases lie in the folder of the
// first file or below.
func readTree(path string) (_ map[string]any, old []Renamed, err error) {
	root, name := filepath.Split(path)
	var chain []map[string]any
	for {
		tree, base, err := readOne(filepath.Join(root, name))
		if err != nil {
			return nil, nil, err
		}
		renamed, err := move(tree)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", filepath.Join(root, name), err)
		}
		old = append(old, renamed...)
		chain = append(chain, tree)
		if base == "" {
			break
		}
		if len(chain) > maxBases {
			return nil, nil, fmt.Errorf("%s: base = %q: more than %d files build on each other", filepath.Join(root, name), base, maxBases)
		}
		next := filepath.Join(filepath.Dir(name), base)
		if filepath.IsAbs(base) || !filepath.IsLocal(next) || strings.ContainsRune(next, 0) {
			return nil, nil, fmt.Errorf("%s: base = %q: allowed is a file in %s or below", filepath.Join(root, name), base, filepath.Clean(root))
		}
		name = next
	}
	tree := chain[len(chain)-1]
	for i := len(chain) - 2; i >= 0; i-- {
		merge(tree, chain[i])
	}
	return tree, old, nil
}

// readOne reads one file; base is taken out of its tree.
func readOne(path string) (tree map[string]any, base string, err error) {
	raw, err := readBounded(path)
	if err != nil {
		return nil, "", err
	}
	tree = map[string]any{}
	if err := toml.Unmarshal(append(raw, '\n'), &tree); err != nil { // at the end of input the decoder miscounts
		return nil, "", fmt.Errorf("%s: %w", path, explain(raw, err))
	}
	resolveNeeds(tree, path)
	switch b := tree["base"].(type) {
	case nil:
	case string:
		if base = b; !strings.HasSuffix(base, ".toml") {
			return nil, "", fmt.Errorf("%s: base = %q: allowed is a .toml file", path, base)
		}
	default:
		return nil, "", fmt.Errorf("%s: base = %v: allowed is the name of a .toml file", path, b)
	}
	delete(tree, "base")
	return tree, base, nil
}

// merge puts the keys of over into tree.
func merge(tree, over map[string]any) {
	for key, v := range over {
		below, ok1 := tree[key].(map[string]any)
		table, ok2 := v.(map[string]any)
		if ok1 && ok2 {
			merge(below, table)
		} else {
			tree[key] = v
		}
	}
}
