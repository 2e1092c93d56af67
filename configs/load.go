package configs

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
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
	tree, err := given(path, overrides)
	if err != nil {
		return Config{}, err
	}
	cfg, err := decode(tree)
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", cmp.Or(path, "defaults"), err)
	}
	return cfg, nil
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
// that is not known.
func suggest(key toml.Key) string {
	if len(key) > 1 && !slices.Contains(siblings(key[:1]), key[0]) {
		key = key[:1]
	}
	return DidYouMean(key[len(key)-1], siblings(key))
}

// siblings lists the keys allowed where an unknown key was found.
func siblings(key toml.Key) []string {
	if len(key) < 2 {
		return append(tomlKeys(&Config{}), "base")
	}
	switch key[0] {
	case "needs":
		return tomlKeys(&Need{})
	case "data":
		return tomlKeys(&Data{})
	case "gen":
		if key[1] == "fuse" && len(key) > 2 {
			return tomlKeys(&Fuse{})
		}
		return tomlKeys(&Gen{})
	case "compare":
		if key[1] == "fuse" && len(key) > 2 {
			return tomlKeys(&Fuse{})
		}
		return tomlKeys(&Compare{})
	case "train":
		return tomlKeys(&Train{})
	case "finetune_clip":
		if key[1] == "val" && len(key) > 2 {
			return tomlKeys(&Data{})
		}
		return tomlKeys(&FineTuneCLIP{})
	case "classifier":
		return tomlKeys(&Classifier{})
	case "eval":
		if key[1] == "against" && len(key) > 2 {
			return tomlKeys(&Against{})
		}
		if key[1] == "zero_shot" && len(key) > 2 {
			return tomlKeys(&ZeroShot{})
		}
		if key[1] == "network" && len(key) > 2 {
			return tomlKeys(&Network{})
		}
		if key[1] == "onnx" && len(key) > 2 {
			return tomlKeys(&ONNX{})
		}
		if key[1] == "test_time" && len(key) > 2 {
			return tomlKeys(&TestTime{})
		}
		return tomlKeys(&Eval{})
	}
	return tomlKeys(&Config{})
}

// Tables tells which tables and keys of the top level a file, with those that
// it builds on, or an override gives: the others have their defaults.
func Tables(path string, overrides []string) (map[string]bool, error) {
	tree, err := given(path, overrides)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for key := range tree {
		names[key] = true
	}
	return names, nil
}

// given are the keys of a file, of those that it builds on, and of overrides.
func given(path string, overrides []string) (tree map[string]any, err error) {
	tree = map[string]any{}
	if path != "" {
		if tree, err = readTree(path); err != nil {
			return nil, err
		}
	}
	for _, o := range overrides {
		if err := override(tree, o); err != nil {
			return nil, err
		}
	}
	return tree, nil
}

// override applies one "a.b=value" to a TOML tree. The value is TOML; what is
// not valid TOML is taken as a string, so that -set gen.weak=boxes works.
func override(tree map[string]any, assignment string) error {
	key, text, ok := strings.Cut(assignment, "=")
	key = strings.TrimSpace(key)
	if !ok || key == "" {
		return fmt.Errorf("-set %s: want key=value, for example -set train.batch=8", assignment)
	}
	var holder struct{ V any }
	if err := toml.Unmarshal([]byte("V = "+text), &holder); err != nil {
		holder.V = strings.TrimSpace(text)
	}
	parts := strings.Split(key, ".")
	for i, part := range parts[:len(parts)-1] {
		next, exists := tree[part]
		if !exists {
			next = map[string]any{}
			tree[part] = next
		}
		table, isTable := next.(map[string]any)
		if !isTable {
			return fmt.Errorf("-set %s: %s is not a table", assignment, strings.Join(parts[:i+1], "."))
		}
		tree = table
	}
	tree[parts[len(parts)-1]] = holder.V
	return nil
}

// With returns the config with keys overridden, each assignment of the form
// that Load takes ("gen.fuse.margin=0.2"), validated. c is not changed.
func (c Config) With(assignments ...string) (Config, error) {
	tree := map[string]any{}
	if err := toml.Unmarshal([]byte(c.TOML()), &tree); err != nil {
		return Config{}, err
	}
	for _, a := range assignments {
		if err := override(tree, a); err != nil {
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

// GenHash identifies what stage one depends on: two configs with the same hash
// make the same pseudo-labels of the same files. Folder paths and worker
// counts do not count.
func (c Config) GenHash() string {
	d, g := c.Data, c.Gen
	d.Root, d.ValSplit, d.TrainSplit, g.Workers = "", "", "", 0
	return hash(c.Seed, d, g)
}

// TrainHash identifies what one training depends on beside its label files.
func (c Config) TrainHash() string {
	d, t := c.Data, c.Train
	d.Root, d.ValSplit = "", ""
	t.Workers, t.CheckpointEvery, t.Keep, t.ValEvery, t.ValImages, t.Bound = 0, 0, 0, 0, 0, false
	t.Labels, t.Recompute, t.Devices = "", 0, 0
	return hash(c.Seed, d, t)
}

func hash(parts ...any) string {
	raw, err := json.Marshal(parts) // map keys are sorted
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}
