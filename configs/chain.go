package configs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Need is another config whose results this one reads: `wsss run` makes them
// first, and skips what is done.
type Need struct {
	Config string   `toml:"config"` // file, relative to the file that names it
	Set    []string `toml:"set"`    // keys to override in it, as "data.root=/data/voc"
}

// maxLinks bounds how many configs one may need, and they in turn.
const maxLinks = 32

// Link is a config of a chain.
type Link struct {
	File   string
	Config Config
	Tables map[string]bool // top-level tables and keys that the file, its bases or overrides give
}

// Chain reads a config and those that it needs, each once and behind those
// that it needs itself; the config is the last. Overrides are the config's own,
// but for data.root, which also holds for needed configs of the same kind of
// dataset. Errors name the file; configs that need each other are one.
func Chain(path string, overrides []string) ([]Link, error) {
	c := &chain{}
	if err := c.add(path, overrides, nil); err != nil {
		return nil, err
	}
	return c.links, nil
}

type chain struct {
	links []Link
	keys  []string // of the links: file and overrides
}

// add appends the config's needs and the config. above are the files that led
// to it.
func (c *chain) add(path string, overrides, above []string) error {
	if clean := filepath.Clean(path); path != "" {
		if at := slices.Index(above, clean); at >= 0 {
			return fmt.Errorf("%s: needs go round in a circle: %s", path, strings.Join(append(above[at:], clean), " needs "))
		}
		above = append(slices.Clone(above), clean)
	}
	key := strings.Join(append([]string{filepath.Clean(path)}, overrides...), "\x00")
	if slices.Contains(c.keys, key) {
		return nil
	}
	cfg, err := Load(path, overrides)
	if err != nil {
		return err
	}
	tables, err := Tables(path, overrides)
	if err != nil {
		return err
	}
	for i, n := range cfg.Needs {
		set, err := cfg.inherited(n, overrides)
		if err == nil {
			err = c.add(n.Config, set, above)
		}
		if err != nil {
			return fmt.Errorf("%s: needs[%d]: %w", path, i, err)
		}
	}
	if len(c.links) == maxLinks {
		return fmt.Errorf("%s: more than %d configs need each other", path, maxLinks)
	}
	c.links, c.keys = append(c.links, Link{path, cfg, tables}), append(c.keys, key)
	return nil
}

// rootKey is the override that needed configs inherit.
const rootKey = "data.root="

// inherited are the overrides of a needed config: its own, after the place of
// the data where that was overridden and the needed one reads the same kind.
// Generated scenes are each config's own.
func (c Config) inherited(n Need, overrides []string) ([]string, error) {
	if c.Data.Kind == "scenes" || !slices.ContainsFunc(overrides, func(o string) bool { return strings.HasPrefix(strings.ReplaceAll(o, " ", ""), rootKey) }) {
		return n.Set, nil
	}
	need, err := Load(n.Config, n.Set)
	if err != nil {
		return nil, err
	}
	var set []string
	if need.Data.Kind == c.Data.Kind {
		set = append(set, rootKey+quote(c.Data.Root))
	}
	if v := need.FineTuneCLIP.Val; v != nil && v.Kind == c.Data.Kind {
		set = append(set, "finetune_clip.val.root="+quote(c.Data.Root))
	}
	return append(set, n.Set...), nil
}

// quote is a TOML string.
func quote(s string) string {
	r := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`)
	return `"` + r.Replace(s) + `"`
}

// resolveNeeds makes the files that a tree needs relative to the working
// folder instead of to the file that names them.
func resolveNeeds(tree map[string]any, file string) {
	list, _ := tree["needs"].([]map[string]any) // another type: decoding says so
	for _, n := range list {
		if name, ok := n["config"].(string); ok && name != "" && !filepath.IsAbs(name) {
			n["config"] = filepath.Join(filepath.Dir(file), name)
		}
	}
}

func (n Need) validate(v *validator, key string) {
	v.that(strings.HasSuffix(n.Config, ".toml"), key+".config", n.Config, "a .toml file")
	for i, s := range n.Set {
		name, _, ok := strings.Cut(s, "=")
		v.that(ok && strings.TrimSpace(name) != "", fmt.Sprintf("%s.set[%d]", key, i), s, `key=value, as "data.root=/data/voc"`)
	}
}
