//go:build !nogs

package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wsss/checkpoints/files"
)

// TestNoGoogleCredentials: a store without credentials is told at once, and how to get some.
func TestNoGoogleCredentials(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	for name, file := range map[string]string{"a file that is not there": filepath.Join(t.TempDir(), "none.json"), "a file that is none": broken} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
			start := time.Now()
			_, err := files.Mount("data.root", "gs://photos/x", true)
			if err == nil || !strings.Contains(err.Error(), "no credentials for Google Cloud") || strings.Contains(err.Error(), "tried") {
				t.Errorf("error %v after %v", err, time.Since(start))
			}
		})
	}
}
