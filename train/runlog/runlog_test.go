package runlog

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

type record struct {
	Step int     `json:"step"`
	Loss float64 `json:"loss"`
}

// TestLogCut checks that a log goes on from where the checkpoint left it.
func TestLogCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	l, err := Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	for step := 1; step <= 2; step++ {
		if err := l.Add(record{step, 1}); err != nil {
			t.Fatal(err)
		}
	}
	size, err := l.Sync()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Add(record{3, 9}), l.Close()); err != nil {
		t.Fatal(err)
	}
	if l, err = Open(path, size); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Add(record{3, 1}), l.Close()); err != nil {
		t.Fatal(err)
	}
	f, _ := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	f.WriteString(`{"step":4,"lo`) // a crash in the middle of a line
	f.Close()
	log, err := Read[record](path)
	if err != nil || len(log) != 3 || log[2].Loss != 1 {
		t.Errorf("log %+v, %v", log, err)
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	if log, err := Read[record](path); err != nil || log != nil {
		t.Errorf("a missing file: %v, %v", log, err)
	}
	if err := os.WriteFile(path, []byte("{\"step\":1}\nnonsense\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read[record](path); err == nil {
		t.Error("nonsense was read")
	}
}
