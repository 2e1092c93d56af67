package main

import (
	"strings"
	"testing"

	"wsss/configs"
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
		if got := debugSizeText(tt.g); (got == "") != (tt.want == "") || !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.g.Method, got, tt.want)
		}
	}
}
