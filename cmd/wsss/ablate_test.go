package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/eval"
	"wsss/eval/report"
)

func TestParseGrid(t *testing.T) {
	tests := []struct {
		vary []string
		want []string // values of the last axis
		says string
	}{
		{[]string{"seed=0..2"}, []string{"0", "1", "2"}, ""},
		{[]string{"seed=1", "gen.weak=boxes,points"}, []string{"boxes", "points"}, ""},
		{[]string{"eval.scales=[1.0]|[0.5,1.0]"}, []string{"[1.0]", "[0.5,1.0]"}, ""},
		{nil, nil, "-vary is missing"},
		{[]string{"seed"}, nil, "key=a,b,c"},
		{[]string{"seed=3..1"}, nil, "a <= b"},
		{[]string{"seed=0..5000"}, nil, "whole numbers"},
		{[]string{"seed=1", "seed=2"}, nil, "twice"},
		{[]string{"seed=1..500", "train.batch=1..3"}, nil, "more than"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.vary, " "), func(t *testing.T) {
			grid, err := pipeline.ParseGrid(tt.vary)
			if tt.says != "" {
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Fatalf("error %v, want one that says %q", err, tt.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := grid[len(grid)-1].Values; !slices.Equal(got, tt.want) {
				t.Errorf("values %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTabulate(t *testing.T) {
	row := func(miou float64) []report.Row {
		return []report.Row{{Result: &eval.Result{Name: "net", MIoU: eval.Value(miou)}}}
	}
	cells := []pipeline.Cell{
		{Keys: []string{"gen.weak"}, Values: []string{"boxes"}, Rows: row(0.80)},
		{Keys: []string{"gen.weak"}, Values: []string{"boxes"}, Rows: row(0.84)},
		{Keys: []string{"gen.weak"}, Values: []string{"points"}, Rows: row(0.7)},
	}
	got := pipeline.Tabulate(cells).Markdown()
	want := "| gen.weak | net |\n|---|---|\n| boxes | 82.0 ± 2.8 (n=2) |\n| points | 70.0 |\n"
	if got != want {
		t.Errorf("table\n%swant\n%s", got, want)
	}
}

// TestAblate runs a small grid that is killed after its first run and started
// again; two of its cells differ in training only and share their pseudo-labels.
func TestAblate(t *testing.T) {
	dir := t.TempDir()
	args := append([]string{"ablate"}, tinyRun(dir, filepath.Join(dir, "scenes"))[1:]...)
	args = append(args, "-set", "train.iterations=2", "-set", "train.bound=false", "-set", "data.options.train=4", "-set", "eval.zero_shot=[]",
		"-vary", "gen.weak=boxes,points", "-vary", "train.optimizer.lr=0.01,0.02", "-quiet")
	killed := wsssCommand(t, args...)
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	first := filepath.Join(dir, "ablate", "gen.weak-boxes-train.optimizer.lr-0.01")
	for range 1200 {
		if files.Exists(filepath.Join(first, report.HTMLName)) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if killed.Wait() == nil {
		t.Fatal("the grid ended before it was killed")
	}
	checkpoint := filepath.Join(first, "train", pipeline.NetPseudo, checkpoints.FileName(2))
	before, err := os.Stat(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	cmd := wsssCommand(t, args...)
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if after, err := os.Stat(checkpoint); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the first run was trained again: %v", err)
	}
	labels, err := filepath.Glob(filepath.Join(dir, "ablate", "gen-*"))
	if err != nil || len(labels) != 2 {
		t.Errorf("pseudo-label folders %v, %v: want 2, one per weak label", labels, err)
	}
	table, err := os.ReadFile(filepath.Join(dir, "ablate", "table.md"))
	if err != nil {
		t.Fatal(err)
	}
	if rows := strings.Count(string(table), "\n"); rows != 2+4 {
		t.Errorf("%d lines in the table, want 6:\n%s", rows, table)
	}
}
