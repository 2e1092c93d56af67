package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/checkpoints/files/lock"
)

// TestOneWriter: a command that would write where another process does ends at
// once with an exit code of its own, says who that is, and changes nothing.
func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		held string // below out
	}{
		{[]string{"run"}, ""},
		{[]string{"run"}, "train/pseudo"},
		{[]string{"run", "-restart"}, "train/bound"},
		{[]string{"eval"}, ""},
		{[]string{"report"}, ""},
		{[]string{"train"}, "train/pseudo"},
		{[]string{"train", "-restart", "-net", "bound"}, "train/bound"},
		{[]string{"finetune-clip"}, ""},
		{[]string{"ablate", "-vary", "seed=1..2"}, "ablate"},
	} {
		out := filepath.Join(dir, strings.Join(append(c.args, c.held), "-"))
		held, err := lock.Acquire(filepath.Join(out, c.held), "train")
		if err != nil {
			t.Fatal(err)
		}
		args := append(tinyRun(out, filepath.Join(dir, "scenes")), c.args[1:]...)
		args[0] = c.args[0]
		cmd := wsssCommand(t, args...)
		text, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != exitHeld {
			t.Errorf("%v: exit code %d (%v), want %d\n%s", c.args, code, err, exitHeld, text)
		}
		if who := fmt.Sprintf("pid %d on ", os.Getpid()); !strings.Contains(string(text), who) || strings.Count(string(text), "\n") != 1 {
			t.Errorf("%v: says\n%s\nwant one line with %q", c.args, text, who)
		}
		held.Release()
		if c.held != "" {
			continue // run records its config before it looks at the trainings
		}
		if entries, _ := os.ReadDir(out); len(entries) != 0 {
			t.Errorf("%v wrote %v", c.args, entries)
		}
	}
}
