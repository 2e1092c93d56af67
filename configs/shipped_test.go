package configs

import (
	"path/filepath"
	"testing"
)

// Configs that come with wsss use today's names.
func TestShippedConfigsUseTodaysNames(t *testing.T) {
	seen := 0
	for _, pattern := range []string{"*.toml", "*/*.toml", "*/*/*.toml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if seen++; len(OldKeys(path, nil)) > 0 {
				t.Errorf("%s: %v", path, OldKeys(path, nil))
			}
		}
	}
	if seen < 50 {
		t.Fatalf("%d configs", seen)
	}
}
