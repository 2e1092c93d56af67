package runlog

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/data/datatest"
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
	for _, tt := range []struct {
		text    string
		records int
		damage  Damage
	}{
		{"nonsense\n{\"step\":3}\n", 2, Damage{Lines: 1, First: 2, Of: 3}},
		{"\x00\x00\x00{\"step\":2}\n{\"step\":3}\n{\"step\":4}\n[]\n", 3, Damage{Lines: 2, First: 2, Of: 5}},
		{"{\"step\":2}{\"step\":3}\n", 1, Damage{Lines: 1, First: 2, Of: 2}},
		{"{\"step\":\"two\"}\n{\"step\":3}\n", 2, Damage{Lines: 1, First: 2, Of: 3}},
		{"\n{\"step\":3}\n", 2, Damage{Of: 3}},
		{"{\"step\":3}\n{\"st", 2, Damage{Of: 3}},
		{"[]\n{\"st", 1, Damage{Lines: 1, First: 2, Of: 3}},
	} {
		datatest.Write(t, path, "{\"step\":1}\n"+tt.text)
		if log, err := Read[record](path); err != nil || len(log) != tt.records {
			t.Errorf("%q: %v, %v; want %d records", tt.text, log, err, tt.records)
		}
		tt.damage.Path = path
		damage, err := Each(path, func(line []byte) bool { return json.Unmarshal(line, new(record)) == nil })
		if err != nil || damage != tt.damage {
			t.Errorf("%q: %+v, %v; want %+v", tt.text, damage, err, tt.damage)
		}
	}
}

// TestRepair: lines that a checkpoint counts on and that are damaged are taken
// out, with a word; a whole log keeps its bytes.
func TestRepair(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	const one, three = "{\"step\":1}\n", "{\"step\":3}\n"
	for _, c := range []struct {
		text, want string
		keep, left int64
		words      int
	}{
		{one + three, one + three, 22, 22, 0},
		{one + three + "{\"st", one + three + "{\"st", 22, 22, 0}, // Open cuts what lies beyond
		{one + "\x00\x00\x00\n" + three, one + three, 26, 22, 1},
		{one + "\x00\x00\x00" + three, one, 25, 11, 1},
		{strings.Repeat("x", maxLine+5) + "\n" + three, three, maxLine + 17, 11, 1},
	} {
		datatest.Write(t, path, c.text)
		words := 0
		left, err := Repair(path, c.keep, func(string) { words++ })
		raw, _ := os.ReadFile(path)
		if err != nil || left != c.left || string(raw) != c.want || words != c.words {
			t.Errorf("%.40q: %d bytes kept, log %.40q, %d warnings, %v", c.text, left, raw, words, err)
		}
	}
}

// TestOpenKeepsToItsFile: a log is not written through a symbolic link.
func TestOpenKeepsToItsFile(t *testing.T) {
	dir := t.TempDir()
	target, path := filepath.Join(dir, "theirs"), filepath.Join(dir, File)
	if err := errors.Join(os.WriteFile(target, []byte("theirs"), 0o644), os.Symlink(target, path)); err != nil {
		t.Skip(err)
	}
	if l, err := Open(path, 0); err == nil {
		l.Close()
		t.Error("opened through a link")
	}
	if raw, _ := os.ReadFile(target); string(raw) != "theirs" {
		t.Errorf("the target holds %q", raw)
	}
}
