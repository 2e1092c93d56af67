package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeConfigs(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestBase: a file's own keys win over its base's, those over the base's base;
// overrides win over all.
func TestBase(t *testing.T) {
	dir := writeConfigs(t, map[string]string{
		"row.toml":       "base = \"base/net.toml\"\nname = \"row\"\n[gen.options]\nsam = \"tiny-sam\"\n[[compare]]\nname = \"one\"\nmethod = \"grabcut\"",
		"base/net.toml":  "base = \"data.toml\"\nname = \"net\"\n[train]\nbatch = 7\n[gen]\nweak = \"points\"\n[gen.options]\nmask = \"third\"",
		"base/data.toml": "name = \"data\"\n[data]\nroot = \"here\"\n[train]\nbatch = 3\ncrop = 65\n[[compare]]\nname = \"a\"\nmethod = \"grabcut\"\n[[compare]]\nname = \"b\"\nmethod = \"grabcut\"",
	})
	c, err := Load(filepath.Join(dir, "row.toml"), []string{"train.crop=129"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "row" || c.Train.Batch != 7 || c.Train.Crop != 129 || c.Data.Root != "here" || c.Gen.Weak != "points" ||
		c.Gen.Options["sam"] != "tiny-sam" || c.Gen.Options["mask"] != "third" || len(c.Compare) != 1 {
		t.Errorf("%+v", c)
	}
	// What a run records needs no base.
	if strings.Contains(c.TOML(), "base") {
		t.Error("the resolved config names a base")
	}
}

func TestBaseErrors(t *testing.T) {
	dir := writeConfigs(t, map[string]string{
		"out.toml": `base = "../x.toml"`, "abs.toml": `base = "/etc/x.toml"`, "loop.toml": `base = "loop.toml"`,
		"number.toml": "base = 3", "text.toml": `base = "x.txt"`, "gone.toml": `base = "none.toml"`,
		"up.toml": `base = "sub/a.toml"`, "sub/a.toml": `base = "../../x.toml"`,
		"key.toml": `base = "sub/bad.toml"`, "sub/bad.toml": "[train]\nbatches = 3",
		"syntax.toml": `base = "sub/open.toml"`, "sub/open.toml": "[train",
	})
	for name, want := range map[string]string{
		"out": "or below", "abs": "or below", "up": "or below", "loop": "build on each other", "number": "base = 3", "text": "a .toml file",
		"gone": "none.toml", "key": "unknown key train.batches", "syntax": "open.toml",
	} {
		if _, err := Load(filepath.Join(dir, name+".toml"), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// TestSetEverywhere: "*.key" is the key of every table that has it, nested ones and
// those of lists too.
func TestSetEverywhere(t *testing.T) {
	dir := writeConfigs(t, map[string]string{
		"row.toml":  "base = \"base.toml\"\n[[compare]]\nname = \"one\"\nmethod = \"sam\"\noptions = { sam = \"a\" }\n[[compare]]\nname = \"two\"\nmethod = \"grabcut\"",
		"base.toml": "[gen.options]\nsegments = { method = \"sam-auto\", options = { sam = \"b\" } }",
	})
	c, err := Load(filepath.Join(dir, "row.toml"), []string{"*.sam=mobile-sam"})
	if err != nil {
		t.Fatal(err)
	}
	inner, _ := c.Gen.Options["segments"].(map[string]any)["options"].(map[string]any)
	if inner["sam"] != "mobile-sam" || c.Compare[0].Options["sam"] != "mobile-sam" || c.Compare[1].Options["sam"] != nil || c.Gen.Options["sam"] != nil {
		t.Errorf("%v, %v", c.Gen.Options, c.Compare)
	}
	for set, want := range map[string]string{"*.gdino=x": "no table of the config gives the key gdino", "*.a.b=x": "one key", "*.=x": "one key"} {
		if _, err := Load(filepath.Join(dir, "row.toml"), []string{set}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", set, err, want)
		}
	}
}
