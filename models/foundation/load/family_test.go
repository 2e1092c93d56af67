package load

import (
	"slices"
	"strings"
	"testing"

	"wsss/models/foundation/sam"
	"wsss/models/manifest"
)

// Each registered family has models, and each of them the files it is opened of.
func TestFamilies(t *testing.T) {
	for _, name := range Families() {
		models := manifest.Family(name)
		if len(models) == 0 {
			t.Errorf("no model of family %s", name)
		}
		for _, m := range models {
			for _, role := range families[name].Roles {
				if !manifest.HasRole(m.Name, role) {
					t.Errorf("%s, of family %s, has no file %q", m.Name, name, role)
				}
			}
		}
	}
}

func TestModelErrors(t *testing.T) {
	t.Setenv(manifest.Env, t.TempDir())
	for want, open := range map[string]func() error{
		`"sma" is no family of foundation models: allowed are blip2, clip`: func() error { _, _, err := Model[*sam.Model](nil, "sma", Choice{}, Options{}); return err },
		"model tiny-clip is of family clip, wanted is sam": func() error {
			_, _, err := Model[*sam.Model](nil, "sam", Choice{Model: "tiny-clip"}, Options{})
			return err
		},
		"wsss models pull sam-vit-b": func() error { _, err := Choice{Model: "sam-vit-b"}.Resolve("sam"); return err },
	} {
		if err := open(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	got, err := Choice{Model: "tiny-blip2", Files: map[string]string{"model": "mine.onnx"}}.Resolve("blip2")
	if err != nil || got["model"] != "mine.onnx" || !strings.HasSuffix(got["vocabulary"], "blip2_vocab.txt") || got["text"] != "" {
		t.Errorf("%v, %v", got, err)
	}
	Register("toy", Family{Open: families["clip"].Open})
	defer delete(families, "toy")
	if !slices.Contains(Families(), "toy") {
		t.Error("a family that registered itself is not listed")
	}
}
