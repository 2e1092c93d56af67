package configs

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	words := []string{"train", "train-classifier", "predict", "gen", "eval", "report", "run", "batch", "batch_norm", "iterations"}
	for word, want := range map[string]string{
		"trian": "train", "Train": "train", "predcit": "predict", "evla": "eval", "reprot": "report", "batc": "batch", "iteration": "iterations",
		"iter": "iterations", "rnu": "run", "xyz": "", "segment": "", "": "", "batchnorm": "batch_norm",
	} {
		if got := Nearest(word, words); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

// TestUnknownKeySuggests: a misspelt key is told what it is near to.
func TestUnknownKeySuggests(t *testing.T) {
	for set, want := range map[string]string{
		"train.batc=8":             "did you mean batch?",
		"trian.batch=8":            "did you mean train?",
		"train.iterationz=8":       "did you mean iterations?",
		"gen.fuse.rules=\"score\"": "did you mean rule?",
	} {
		if _, err := Load("", []string{set}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", set, err, want)
		}
	}
	var o struct {
		Gamma float64 `toml:"gamma"`
	}
	if err := Decode("gen.options", map[string]any{"gama": 1.0}, &o); err == nil || !strings.Contains(err.Error(), "did you mean gamma?") {
		t.Errorf("option: %v", err)
	}
}
