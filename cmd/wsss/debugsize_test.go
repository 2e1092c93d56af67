package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/data/datatest"
)

func TestDebugSizeText(t *testing.T) {
	for _, tt := range []struct {
		g    configs.Gen
		want string
	}{
		{configs.Gen{Method: "grabcut"}, ""},
		{configs.Gen{Method: "sam", Options: map[string]any{"sam": "mobile-sam"}}, ""},
		{configs.Gen{Method: "sam", Options: map[string]any{"sam": "tiny-sam"}}, "WARNING: tiny-sam: debug-size"},
		{configs.Gen{Method: "grounded-sam", Options: map[string]any{"sam": "tiny-sam", "gdino": "tiny-gdino"}}, "WARNING: tiny-sam, tiny-gdino: debug-size"},
	} {
		if got := pipeline.DebugSize(tt.g); (got == "") != (tt.want == "") || !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.g.Method, got, tt.want)
		}
	}
}

// TestPredictDebugSize: a network that learnt from labels of debug-size models
// is used with the same warning.
func TestPredictDebugSize(t *testing.T) {
	for kind, want := range map[string]int{"folder": 1, "scenes": 0} {
		out := t.TempDir()
		net := filepath.Join(out, "train", "pseudo", "net.safetensors")
		if err := os.MkdirAll(filepath.Dir(net), 0o755); err != nil {
			t.Fatal(err)
		}
		config := "[data]\nkind = \"" + kind + "\"\nroot = \"photos\"\n[gen]\nmethod = \"sam\"\n[gen.options]\nsam = \"tiny-sam\"\n"
		for name, text := range map[string]string{filepath.Join(out, "config.toml"): config, net: "no weights"} {
			datatest.Write(t, name, text)
		}
		text := predictCall(t, exitFailed, "-checkpoint", net, "-backend", "go", "-out", filepath.Join(out, "labels"), photos(t, "a.jpg"))
		if strings.Count(text, "WARNING: tiny-sam: debug-size") != want {
			t.Errorf("%s: %q", kind, text)
		}
	}
}
