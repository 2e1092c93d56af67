package torture

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"wsss/data/datatest"
)

// TestBrief is the short form of the campaigns: a little of each, in seconds.
// The tests of single packages repeat none of it; they have their own kills.
func TestBrief(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs wsss")
	}
	repo, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(repo)
	o := options{dir: t.TempDir(), repo: repo, engines: []string{"go"}, kills: 4, pairs: 2, seed: 1, quiet: true}
	o.choose("gen,train-classifier")
	o.wsss = filepath.Join(o.dir, "wsss")
	if _, err := output(t.Context(), "go", "build", "-o", o.wsss, "./cmd/wsss"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		run  func(context.Context, options, *result) error
	}{{"full disk", fullDisk}, {"hostile files", hostile}, {"pairs", pairs}, {"kills", kills}} {
		t.Run(c.name, func(t *testing.T) {
			r := result{name: c.name}
			if err := c.run(t.Context(), o, &r); err != nil {
				t.Fatal(err)
			}
			for _, f := range r.failures {
				t.Error(f)
			}
			t.Log(r.lines)
		})
	}
}

// TestSnapshot: times may differ between two runs, nothing else.
func TestSnapshot(t *testing.T) {
	write := func(dir, name, text string) { datatest.Write(t, filepath.Join(dir, name), text) }
	for _, tt := range []struct {
		name, a, b string
		differ     int
	}{
		{"results/a.json", "{\n  \"miou\": 0.5,\n  \"seconds\": 1.5\n}\n", "{\n  \"miou\": 0.5,\n  \"seconds\": 2\n}\n", 0},
		{"results/a.json", "{\n  \"miou\": 0.5\n}\n", "{\n  \"miou\": 0.6\n}\n", 1},
		{"gen/speed.json", "1", "2", 0},
		{"report.md", "| a | 7.48 images/s |", "| a | 19 images/s |", 0},
		{"report.md", "| a | 7.48 |", "| b | 7.48 |", 1},
		{"gen/a.png", "1", "2", 1},
	} {
		a, b := t.TempDir(), t.TempDir()
		write(a, tt.name, tt.a)
		write(b, tt.name, tt.b)
		if names, err := differing(a, b); err != nil || len(names) != tt.differ {
			t.Errorf("%s: %v, %v; want %d", tt.name, names, err, tt.differ)
		}
	}
	a, b := t.TempDir(), t.TempDir()
	write(a, "gen/a.png", "1")
	write(b, "gen/.tmp-5", "1")
	if names, err := differing(a, b); err != nil || len(names) != 2 {
		t.Errorf("one is missing and one too many: %v, %v", names, err)
	}
}

// A page with and without curves of speeds is the same page; one with another
// word is not.
func TestSnapshotLeavesTimesOut(t *testing.T) {
	page := func(text string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "report.html"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := snapshot(dir)
		if err != nil {
			t.Fatal(err)
		}
		return string(got["report.html"])
	}
	calm := page("<div>\n<figure>loss 1.5</figure>\n</div>\n<p>12 images</p>\n")
	if killed := page("<div>\n<figure>loss 1.4</figure>\n<figure>images per second 3</figure>\n</div>\n<p>12 images</p>\n"); killed != calm {
		t.Errorf("curves count: %q, %q", killed, calm)
	}
	if other := page("<div>\n<figure>loss 1.5</figure>\n</div>\n<p>12 masks</p>\n"); other == calm {
		t.Error("another word does not count")
	}
}

// TestSpells: executions of a target add up over campaigns, also behind a line
// that a killed one left.
func TestSpells(t *testing.T) {
	t.Setenv("GOCACHE", t.TempDir())
	open := func() *spells {
		t.Helper()
		s, err := openSpells(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	add := func(s *spells, target string, n int64) {
		t.Helper()
		if err := s.add(spell{Date: "2026-11-30T12:00:00Z", Target: target, Executions: n, Seconds: 2}); err != nil {
			t.Fatal(err)
		}
	}
	first := open()
	add(first, "a", 3)
	add(first, "b", 5)
	raw, err := os.ReadFile(first.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first.path, append(raw, "{\"target\":\"a\",\"execu"...), 0o644); err != nil {
		t.Fatal(err)
	}
	add(open(), "a", 4)
	s := open()
	if a, b := s.total["a"], s.total["b"]; a.Executions != 7 || a.Seconds != 4 || b.Executions != 5 || len(s.total) != 2 || s.since != "2026-11-30" {
		t.Errorf("%+v since %s", s.total, s.since)
	}
}

// TestOverlay: this Go's fuzzer is the one whose functions are known, and the
// quicker ones take their place and do the same.
func TestOverlay(t *testing.T) {
	dir := t.TempDir()
	_, env, err := fuzzGo(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if env == nil && strings.HasPrefix(runtime.Version(), "go1.27") {
		t.Error("the functions of overlay.txt are not those of this Go")
	}
	if env != nil {
		sameCounters(t, filepath.Join(dir, "go", fuzzerFile), filepath.Join(dir, "coverage.go"))
	}
	if _, ok := replaceFunctions("a b a", "a\n=>\nc"); ok {
		t.Error("a function that occurs twice was replaced")
	}
	if text, ok := replaceFunctions("a b", "a\n=>\nc\n---\nb\n=>\nd"); !ok || text != "c d" {
		t.Errorf("%q", text)
	}
}

// sameCounters runs both forms of Go's functions over the same counters, in a
// program of its own.
func sameCounters(t *testing.T, usual, fresh string) {
	module := t.TempDir()
	for name, from := range map[string]string{"usual": usual, "fresh": fresh} {
		raw, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		datatest.Write(t, filepath.Join(module, name, "coverage.go"), string(raw))
		datatest.Write(t, filepath.Join(module, name, "open.go"), `package fuzz

var Counters = make([]byte, 64*40+7)

func coverage() []byte { return Counters }

func Snapshot() []byte { SnapshotCoverage(); return coverageSnapshot }

func Count(base, snapshot []byte) int { return countNewCoverageBits(base, snapshot) }
`)
	}
	datatest.Write(t, filepath.Join(module, "go.mod"), "module same\n\ngo 1.26\n")
	datatest.Write(t, filepath.Join(module, "main.go"), `package main

import (
	"bytes"
	"math/rand/v2"

	fresh "same/fresh"
	usual "same/usual"
)

func main() {
	rng := rand.New(rand.NewPCG(1, 1))
	base := make([]byte, len(usual.Counters))
	for i := range base {
		base[i] = byte(1) << rng.IntN(16) // often none
	}
	for round := range 500 {
		clear(usual.Counters)
		for range rng.IntN(30) {
			usual.Counters[rng.IntN(len(base))] = byte(rng.IntN(256))
		}
		if round%3 == 0 {
			usual.Counters[len(base)-1-rng.IntN(8)] = 200
		}
		copy(fresh.Counters, usual.Counters)
		a, b := usual.Snapshot(), fresh.Snapshot()
		other := bytes.Clone(b)
		if n := usual.Count(base, a); !bytes.Equal(a, b) || n != fresh.Count(base, b) || n != fresh.Count(base, other) {
			panic(round)
		}
	}
}
`)
	if text, err := combined(t.Context(), module, []string{"GOFLAGS=-mod=mod", "GOWORK=off"}, "go", "run", "."); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestTooSlow: a package whose tests take long is told from a test that hangs.
func TestTooSlow(t *testing.T) {
	for text, want := range map[string]bool{
		"panic: test timed out after 10m0s\n\trunning tests:\n\t\tTestA (12s)\n":                         true,
		"panic: test timed out after 10m0s\n\trunning tests:\n\t\tTestA (12s)\n\t\tTestB/c (9m10s)\n":    false,
		"--- FAIL: TestB (0.1s)\npanic: test timed out after 10m0s\n\trunning tests:\n\t\tTestA (12s)\n": false,
		"WARNING: DATA RACE\npanic: test timed out after 10m0s\n\trunning tests:\n\t\tTestA (12s)\n":     false,
		"panic: index out of range": false,
	} {
		if got := tooSlow(text, 10*time.Minute); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
