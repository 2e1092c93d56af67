package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Tables inside a plug-in's options are the plug-in's to check.
func TestNestedOptions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.toml")
	text := "[gen.options.from]\nmethod = 'x'\n[gen.options.from.options]\ngamma = 3.0\n[[gen.options.members]]\nlabels = 'a'\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(path, []string{"gen.options.from.options.deep.er=1"})
	if err != nil {
		t.Fatal(err)
	}
	type inner struct {
		Method  string         `toml:"method"`
		Options map[string]any `toml:"options"`
	}
	type member struct {
		inner
		Labels string `toml:"labels"`
	}
	var o struct {
		From    inner    `toml:"from"`
		Members []member `toml:"members"`
	}
	if err := Decode("gen.options", cfg.Gen.Options, &o); err != nil {
		t.Fatal(err)
	}
	if o.From.Options["gamma"] != 3.0 || len(o.Members) != 1 || o.Members[0].Labels != "a" {
		t.Errorf("options %+v", o)
	}
	for key, want := range map[string]string{"gen.options.from.metod=x": "from.metod", "gen.options.form=1": "form", "gen.option.x=1": "gen.option"} {
		cfg, err := Load(path, []string{key})
		if err == nil {
			err = Decode("gen.options", cfg.Gen.Options, &o)
		}
		if err == nil || !strings.Contains(err.Error(), "unknown key "+want) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
