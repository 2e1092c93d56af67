package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEvalShards: rows from parts are those of one process, to the last digit.
func TestEvalShards(t *testing.T) {
	dir := t.TempDir()
	args := func(command, out string, more ...string) []string {
		list := append([]string{command, "-quiet", "-config", "/dev/null"}, more...)
		for _, s := range []string{"data.kind=scenes", "data.root=" + filepath.Join(dir, "scenes"), "data.options.train=9", "data.options.val=2",
			"data.options.min_size=48", "data.options.max_size=64", "gen.method=grabcut", "gen.weak=boxes", "out=" + filepath.Join(dir, out)} {
			list = append(list, "-set", s)
		}
		return list
	}
	run := runner(t)
	row := func(out string) string {
		raw, err := os.ReadFile(filepath.Join(dir, out, "results", "pseudo-labels.json"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(withoutTimes(t, raw), filepath.Join(dir, out), "")
	}
	run(exitOK, args("gen", "a"))
	run(exitOK, args("gen", "b"))
	run(exitOK, args("eval", "a", "-only", "pseudo-labels"))
	run(exitUsage, args("eval", "b", "-only", "pseudo-labels", "-merge"))
	run(exitOK, args("eval", "b", "-only", "pseudo-labels", "-shard", "1/2"))
	run(exitFailed, args("eval", "b", "-only", "pseudo-labels", "-merge")) // part 0 is missing
	run(exitOK, args("eval", "b", "-only", "pseudo-labels", "-shard", "0/2"))
	run(exitOK, args("eval", "b", "-status"))
	run(exitUsage, args("eval", "b", "-shard", "0/2", "-merge"))
	run(exitOK, args("eval", "b", "-only", "pseudo-labels", "-merge"))
	if a, b := row("a"), row("b"); a != b {
		t.Errorf("of one process: %s\nof parts: %s", a, b)
	}
}
