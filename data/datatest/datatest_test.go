package datatest

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFind(t *testing.T) {
	root := t.TempDir()
	data := filepath.Join(root, "shared", "data")
	deep := filepath.Join(root, "repo", "a", "b")
	for _, dir := range []string{data, deep} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	real, err := filepath.EvalSymlinks(data)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, env string
		ok        bool
	}{
		{"walk up", "", true},
		{"env at shared", filepath.Join(root, "shared"), true},
		{"env at data", data, true},
		{"env nowhere", filepath.Join(root, "none"), false},
	}
	t.Chdir(deep)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(Env, tt.env)
			got, ok := find()
			if ok != tt.ok {
				t.Fatalf("find() = %q, %v; want ok = %v", got, ok, tt.ok)
			}
			if !ok {
				return
			}
			if got, err = filepath.EvalSymlinks(got); err != nil || got != real {
				t.Errorf("find() = %q (%v), want %q", got, err, real)
			}
		})
	}
}
