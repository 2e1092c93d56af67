package configs

import (
	"bytes"
	"fmt"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
)

// Decode fills the struct that v points to from a plug-in's options table.
// Unknown keys are an error that names the key and the ones that exist, so a
// misspelt option never passes in silence. Fields keep their value where the
// table lacks their key. section names the table in errors ("gen.options").
func Decode(section string, options map[string]any, v any) error {
	if len(options) == 0 {
		return nil
	}
	var buf bytes.Buffer
	if err := toml.NewEncoder(&buf).Encode(options); err != nil {
		return fmt.Errorf("[%s]: %w", section, err)
	}
	meta, err := toml.Decode(buf.String(), v)
	if err != nil {
		return fmt.Errorf("[%s]: %w", section, err)
	}
	if extra := unknown(meta, v); len(extra) > 0 {
		keys := make([]string, len(extra))
		for i, k := range extra {
			keys[i] = k.String()
		}
		sort.Strings(keys)
		return fmt.Errorf("[%s]: unknown key %s: allowed are %s", section, strings.Join(keys, ", "), strings.Join(tomlKeys(v), ", "))
	}
	return nil
}
