package configs

import "testing"

// TestDecodeUnknownKeys: the keys that are told are those of the unknown one's table.
func TestDecodeUnknownKeys(t *testing.T) {
	type table struct {
		Method  string         `toml:"method"`
		Options map[string]any `toml:"options"`
	}
	type options struct {
		Most  int     `toml:"most"`
		Masks table   `toml:"masks"`
		Each  []table `toml:"each"`
	}
	for _, c := range []struct {
		given map[string]any
		want  string
	}{
		{map[string]any{"mots": 1}, "[gen.options]: unknown key mots: allowed are most, masks, each; did you mean most?"},
		{map[string]any{"masks": map[string]any{"methd": "sam"}}, "[gen.options]: unknown key masks.methd: allowed are method, options; did you mean method?"},
		{map[string]any{"each": []map[string]any{{"far": 1}}}, "[gen.options]: unknown key each.far: allowed are method, options"},
		{map[string]any{"masks": map[string]any{"options": map[string]any{"any": 1}}}, ""},
	} {
		got := ""
		if err := Decode("gen.options", c.given, &options{}); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%v: %q, want %q", c.given, got, c.want)
		}
	}
}
