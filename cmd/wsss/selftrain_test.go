package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/checkpoints"
	"wsss/cmd/pipeline"
)

// TestSelfRounds trains a second round on the first one's labels.
func TestSelfRounds(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	args := append(tinyRun(out, filepath.Join(dir, "scenes")), "-set", "train.self_training.rounds=1", "-set", "train.self_training.min=0.3", "-set", "train.bound=false", "-set", "compare=[]")
	for range 2 { // the second call finds everything done
		if text, err := wsssCommand(t, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	// Another rule keeps the first round, makes other labels for the second and
	// does not replace that unasked.
	first := filepath.Join(out, "train", "round1", checkpoints.FileName(8))
	before, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	args = append(args, "-set", "train.self_training.rule=agree", "-set", "train.self_training.start=last")
	if text, err := wsssCommand(t, args...).CombinedOutput(); err == nil || !strings.Contains(string(text), "another training") {
		t.Errorf("%v\n%s", err, text)
	}
	if text, err := wsssCommand(t, append(args, "-restart")...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if after, err := os.Stat(first); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("another rule trained the first round again: %v", err)
	}
	labels, err := filepath.Glob(filepath.Join(out, "self", "1", "*.png"))
	if err != nil || len(labels) != 10 {
		t.Errorf("%d labels of the first round, %v; want 10", len(labels), err)
	}
	hashes := map[string]string{}
	for _, net := range []string{"round1", pipeline.NetPseudo} {
		c, err := checkpoints.Open(filepath.Join(out, "train", net, checkpoints.FileName(8)))
		if err != nil {
			t.Fatal(err)
		}
		hashes[net] = c.Meta.LabelsHash
		c.Close()
	}
	if hashes["round1"] == hashes[pipeline.NetPseudo] {
		t.Errorf("both rounds trained on labels %s", hashes[pipeline.NetPseudo])
	}
}
