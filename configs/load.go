package configs

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxFile bounds the size of a config file.
const maxFile = 1 << 20

// Load reads a TOML file over the defaults, with the files that it builds on
// (its key "base"), applies overrides of the form "train.batch=8", and
// validates. Unknown keys are errors. An empty path starts from the defaults.
// Errors name the file and the key.
func Load(path string, overrides []string) (Config, error) {
	tree, old, err := given(path, overrides)
	if err != nil {
		return Config{}, err
	}
	cfg, err := decode(tree)
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", cmp.Or(path, "defaults"), asGiven(err, old))
	}
	return cfg, nil
}

// asGiven names the key of an error as the file does, by an earlier name, and
// says today's.
func asGiven(err error, old []Renamed) error {
	for _, r := range old {
		if rest, ok := strings.CutPrefix(err.Error(), r.New); ok && strings.HasPrefix(strings.TrimPrefix(rest, " ="), " ") || ok && strings.HasPrefix(rest, ":") {
			return fmt.Errorf("%s%s (%s)", r.Old, rest, r)
		}
	}
	return err
}

// OldKeys lists the keys of earlier versions that a file, with those that it
// builds on, or overrides give, and their names today. They are read as before.
func OldKeys(path string, overrides []string) []Renamed {
	_, old, _ := given(path, overrides)
	return old
}

// OldKeysNote is a line about OldKeys, "" where there are none.
func OldKeysNote(path string, overrides []string) string {
	var names []string
	for _, r := range OldKeys(path, overrides) {
		names = append(names, r.String())
	}
	if len(names) == 0 {
		return ""
	}
	return "note: keys have new names, and the earlier ones are read as before: " + strings.Join(names, ", ")
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes, the most a config may be", path, maxFile)
	}
	return raw, nil
}

// decode puts a TOML tree over the defaults, strictly.
func decode(tree map[string]any) (Config, error) {
	cfg := Default()
	var buf bytes.Buffer
	if err := toml.NewEncoder(&buf).Encode(tree); err != nil {
		return cfg, err
	}
	meta, err := toml.Decode(buf.String(), &cfg)
	if err != nil {
		return cfg, explainType("", err)
	}
	if err := checkTable(reflect.TypeFor[Config](), tree, ""); err != nil {
		return cfg, err
	}
	if !meta.IsDefined("train", "network", "msc") { // its default is DeepLab-v2's
		cfg.Train.MSC = cfg.Train.Arch == Default().Train.Arch
	}
	for i := range cfg.Compare {
		c := &cfg.Compare[i]
		c.Weak = cmp.Or(c.Weak, cfg.Gen.Weak)
		c.Fuse.Rule = cmp.Or(c.Fuse.Rule, cfg.Gen.Fuse.Rule)
	}
	for i := range cfg.Eval.ZeroShot {
		if f := &cfg.Eval.ZeroShot[i].Fuse; f.Rule == "" {
			f.Rule = Default().Gen.Fuse.Rule
		}
	}
	if extra := unknown(meta, cfg); len(extra) > 0 {
		key := extra[0]
		return cfg, fmt.Errorf("unknown key %s: allowed are %s%s", key, strings.Join(siblings(key), ", "), suggest(key))
	}
	return cfg, nil
}

// suggest names the key that an unknown one is nearest to: in its first part
// that is not known. A key of a group, and one of an earlier version, is near by
// its last part.
func suggest(key toml.Key) string {
	if len(key) > 1 && !slices.Contains(siblings(key[:1]), key[0]) {
		key = key[:1]
	}
	var words []string
	full := map[string]string{}
	add := func(word, name string) {
		if full[word] == "" {
			words, full[word] = append(words, word), name
		}
	}
	for _, name := range siblings(key) {
		add(name, name)
		if group, last, ok := strings.Cut(name, "."); ok {
			add(last, name)
			add(group, name)
		}
	}
	if len(key) == 2 {
		for _, old := range slices.Sorted(maps.Keys(moved[key[0]])) {
			add(old, moved[key[0]][old])
		}
	}
	if near := Nearest(key[len(key)-1], words); near != "" {
		return "; did you mean " + full[near] + "?"
	}
	return ""
}

// siblings lists the keys allowed where an unknown key was found: those of its
// table, and of the groups in it.
func siblings(key toml.Key) []string {
	t := tableOf(reflect.TypeFor[Config](), key)
	keys := tomlKeys(reflect.New(t).Interface())
	if t == reflect.TypeFor[Config]() {
		return append(keys, "base")
	}
	var all []string
	for _, k := range keys {
		group, _ := fieldOf(t, k)
		if group.Kind() != reflect.Struct {
			all = append(all, k)
			continue
		}
		for _, below := range tomlKeys(reflect.New(group).Interface()) {
			all = append(all, k+"."+below)
		}
	}
	return all
}

// Tables tells which tables and keys of the top level a file, with those that
// it builds on, or an override gives: the others have their defaults.
func Tables(path string, overrides []string) (map[string]bool, error) {
	tree, _, err := given(path, overrides)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for key := range tree {
		names[key] = true
	}
	return names, nil
}

// given are the keys of a file, of those that it builds on, and of overrides, by
// today's names; old are those that were given by an earlier one.
func given(path string, overrides []string) (tree map[string]any, old []Renamed, err error) {
	tree = map[string]any{}
	if path != "" {
		if tree, old, err = readTree(path); err != nil {
			return nil, nil, err
		}
		if len(tree) == 0 && len(overrides) == 0 {
			return nil, nil, KeyErrorf("%s: holds no key: allowed is a TOML file of lines such as data.root = \"photos\" (wsss init writes one), or keys by -set", path)
		}
	}
	for _, o := range overrides {
		renamed, err := override(tree, o)
		if err != nil {
			return nil, nil, err
		}
		old = append(old, renamed...)
	}
	slices.SortFunc(old, func(a, b Renamed) int { return strings.Compare(a.Old, b.Old) })
	return tree, slices.Compact(old), nil
}

// override applies one "a.b=value" to a TOML tree, or "*.b=value" to each of its
// tables that has the key. The value is TOML; what is
// not valid TOML is taken as a string, so that -set gen.weak=boxes works.
func override(tree map[string]any, assignment string) (old []Renamed, err error) {
	key, text, ok := strings.Cut(assignment, "=")
	key = strings.TrimSpace(key)
	if !ok || key == "" {
		return nil, fmt.Errorf("-set %s: want key=value, for example -set train.batch=8", assignment)
	}
	var holder struct{ V any }
	if err := toml.Unmarshal([]byte("V = "+text), &holder); err != nil {
		holder.V = strings.TrimSpace(text)
	}
	if key == "base" {
		return nil, fmt.Errorf("-set %s: base stands in a file alone", assignment)
	}
	if name, everywhere := strings.CutPrefix(key, "*."); everywhere {
		if name == "" || strings.Contains(name, ".") || strings.Contains(name, "*") {
			return nil, fmt.Errorf("-set %s: behind *. stands one key, for example -set *.sam=mobile-sam", assignment)
		}
		if !replace(tree, name, holder.V) {
			return nil, fmt.Errorf("-set %s: no table of the config gives the key %s", assignment, name)
		}
		return nil, nil
	}
	parts := strings.Split(key, ".")
	one := map[string]any{}
	leaf := one
	for _, part := range parts[:len(parts)-1] {
		next := map[string]any{}
		leaf[part] = next
		leaf = next
	}
	leaf[parts[len(parts)-1]] = holder.V
	if old, err = move(one); err != nil {
		return nil, fmt.Errorf("-set %s: %w", assignment, err)
	}
	depth := len(parts)
	if depth == 2 && len(old) > 0 {
		depth++ // it is in a group now
	}
	if at := laid(tree, one, "", depth); at != "" {
		return nil, fmt.Errorf("-set %s: %s is not a table", assignment, at)
	}
	return old, nil
}

// replace gives a key its value in every table that has it, and tells whether
// one has.
func replace(tree any, name string, v any) (found bool) {
	switch t := tree.(type) {
	case map[string]any:
		for key, below := range t {
			if key == name {
				t[key], found = v, true
			} else if replace(below, name, v) {
				found = true
			}
		}
	case []map[string]any:
		for _, below := range t {
			found = replace(below, name, v) || found
		}
	case []any:
		for _, below := range t {
			found = replace(below, name, v) || found
		}
	}
	return found
}

// laid puts the one key of over, depth names below, into tree; it returns the
// name of what lies above it and is no table.
func laid(tree, over map[string]any, above string, depth int) (noTable string) {
	for key, v := range over {
		have, exists := tree[key]
		if depth == 1 || !exists {
			tree[key] = v
			break
		}
		below, isTable := have.(map[string]any)
		if !isTable {
			return above + key
		}
		return laid(below, v.(map[string]any), above+key+".", depth-1)
	}
	return ""
}

// With returns the config with keys overridden, each assignment of the form
// that Load takes ("gen.fuse.margin=0.2"), validated. c is not changed.
func (c Config) With(assignments ...string) (Config, error) {
	tree := map[string]any{}
	if err := toml.Unmarshal([]byte(c.TOML()), &tree); err != nil {
		return Config{}, err
	}
	for _, a := range assignments {
		if _, err := override(tree, a); err != nil {
			return Config{}, err
		}
	}
	cfg, err := decode(tree)
	if err == nil {
		err = cfg.Validate()
	}
	return cfg, err
}

// TOML renders the whole config, defaults included, as a file that Load reads
// back to the same value.
func (c Config) TOML() string {
	var buf bytes.Buffer
	enc := toml.NewEncoder(&buf)
	enc.Indent = ""
	if err := enc.Encode(c); err != nil {
		panic(err) // every field is encodable
	}
	return buf.String()
}
