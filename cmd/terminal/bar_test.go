package terminal

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"wsss/models/backend"
)

// TestBarCountsFresh: what was done before a run began is not counted as its
// work; a single image is.
func TestBarCountsFresh(t *testing.T) {
	tests := []struct {
		name  string
		calls []int // done, of 10
		want  int   // items that were done before
	}{
		{"from the start", []int{1, 2, 3}, 0},
		{"one item", []int{1}, 0},
		{"taken up", []int{6, 7}, 6},
		{"a first call without work", []int{0, 1}, 0},
	}
	for _, tt := range tests {
		b := NewBar(tt.name, true)
		for _, done := range tt.calls {
			b.Update(done, 10)
		}
		if b.first != tt.want {
			t.Errorf("%s: %d done before, want %d", tt.name, b.first, tt.want)
		}
	}
}

// TestBarCompiles: while the engine compiles the bar says so, and which of how
// many shapes it is, until the next image is done.
func TestBarCompiles(t *testing.T) {
	b := NewBar("score", true)
	defer b.Abort()
	b.Update(1, 10)
	backend.NoteCompilation()
	b.slow = func() bool { return false }
	if text := b.state(); strings.Contains(text, "compiling") {
		t.Errorf("an engine that compiles in no time: %q", text)
	}
	b.slow = func() bool { return true }
	if text := b.state(); !strings.Contains(text, "compiling, shape 1,") {
		t.Errorf("not foreseen: %q", text)
	}
	backend.ForeseeCompilations(5)
	backend.NoteCompilation()
	if text := b.state(); !strings.Contains(text, "compiling, shape 2 of about 6") {
		t.Errorf("foreseen: %q", text)
	}
	if b.Update(2, 10); strings.Contains(b.state(), "compiling") {
		t.Errorf("when it is over: %q", b.state())
	}
	b.Finish()
	b = NewBar("the next stage", true)
	defer b.Abort()
	b.slow = func() bool { return true }
	b.Update(1, 10)
	backend.NoteCompilation()
	if text := b.state(); !strings.Contains(text, "compiling, shape 1,") {
		t.Errorf("foreseen by the stage before, which did without: %q", text)
	}
}

// TestBarSkipped: a stage that was skipped counts nothing.
func TestBarSkipped(t *testing.T) {
	for _, tt := range []struct {
		done int
		want string
	}{{0, "train                        done already\n"}, {6, "train                        6 done already\n"}} {
		text := stderrOf(t, func() {
			b := NewBar("train", false)
			if tt.done > 0 {
				b.Update(tt.done, 6)
			}
			b.Finish()
		})
		if text != tt.want {
			t.Errorf("%d of 6: %q, want %q", tt.done, text, tt.want)
		}
	}
}

// stderrOf returns what do prints to standard error.
func stderrOf(t *testing.T, do func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stderr
	os.Stderr = w
	text := make(chan string)
	go func() {
		raw, _ := io.ReadAll(r)
		text <- string(raw)
	}()
	defer func() { os.Stderr = old }()
	do()
	w.Close()
	return <-text
}

// TestBarLines: without a terminal a training prints a line at least every 50
// updates, with what a person wants to know; -quiet prints none.
func TestBarLines(t *testing.T) {
	updates := func(quiet bool) string {
		return stderrOf(t, func() {
			b := NewBar("train", quiet)
			b.Trains(4)
			for i := 1; i <= 120; i++ {
				b.Learned(0, 1/float64(i), 0.01)
				b.Update(i, 120)
			}
			b.Finish()
		})
	}
	lines := strings.Split(strings.TrimSpace(updates(false)), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines, want those of updates 50 and 100 and the last: %q", len(lines), lines)
	}
	for i, wants := range [][]string{{"50/120", "loss 0.0200", "lr 0.01", "images/s", "ETA", "peak memory", "MiB"}, {"100/120", "loss 0.0100"}, {"120/120 in"}} {
		for _, want := range wants {
			if !strings.Contains(lines[i], want) {
				t.Errorf("line %d lacks %q: %s", i+1, want, lines[i])
			}
		}
	}
	if text := updates(true); text != "" {
		t.Errorf("quiet, and says %q", text)
	}
}

// TestBarSaysThatItLives: a line comes after a while, also where no item ends.
func TestBarSaysThatItLives(t *testing.T) {
	every := lineEvery
	lineEvery = 5 * time.Millisecond
	defer func() { lineEvery = every }()
	text := stderrOf(t, func() {
		b := NewBar("gen", false)
		b.Update(2, 10)
		b.Update(3, 10)
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			b.mu.Lock()
			lines := b.lines
			b.mu.Unlock()
			if lines >= 2 {
				break
			}
		}
		b.Abort()
	})
	if n := strings.Count(text, "3/10, "); n < 2 || !strings.Contains(text, "images/s, ETA") || strings.Contains(text, "loss") {
		t.Errorf("%d lines:\n%s", n, text)
	}
}
