package refine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/data/datatest"
	"wsss/gen"
	_ "wsss/gen/grabcut"
)

// The examples of the documentation are configs that work.
func TestDocumentedConfigs(t *testing.T) {
	raw, err := os.ReadFile("../../docs/refinement.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, dir := range []string{"labels/clip-es", "cams", "sam-masks", "edges", "features", "runs/a/gen"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	blocks := strings.Split(string(raw), "```toml\n")[1:]
	if len(blocks) < 9 {
		t.Fatalf("only %d examples", len(blocks))
	}
	for i, b := range blocks {
		text, _, _ := strings.Cut(b, "```")
		path := filepath.Join(t.TempDir(), fmt.Sprint(i, ".toml"))
		datatest.Write(t, path, text)
		cfg, err := configs.Load(path, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		// Networks need their files: of them the options alone are looked at.
		if network, err := gen.NeedsBackend(cfg.Gen); err != nil || network {
			spec, look := gen.Lookup(cfg.Gen.Method)
			if look == nil {
				_, look = spec.Needs(cfg.Gen.Options)
			}
			if err := errors.Join(err, look); err != nil {
				t.Errorf("%v in\n%s", err, text)
			}
			continue
		}
		if _, err := gen.New(gen.Env{Classes: voc, Weak: data.WeakKind(cfg.Gen.Weak), Gen: cfg.Gen}); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
		if _, err := gen.NewFuser(cfg.Gen.Fuse, data.Classes{}); err != nil {
			t.Error(err)
		}
	}
}
