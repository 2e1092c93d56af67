package main

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wsss/eval"
)

// tinyRun are the arguments of a whole pipeline that takes seconds.
func tinyRun(out, scenes string) []string {
	set := []string{
		"out=" + out, "data.root=" + scenes, "data.options.train=10", "data.options.val=4",
		"data.options.min_size=64", "data.options.max_size=72", "train.network.init=", "train.network.width=0.25", "train.augment.crop=65",
		`compare=[{name="from points", method="grabcut", weak="points"}]`, "train.batch=2", "train.iterations=8", "train.checkpoint.every=3", "train.checkpoint.val_every=4", "eval.train_split=true",
	}
	args := []string{"run", "-config", "../../configs/demo.toml", "-backend", "go"}
	for _, s := range set {
		args = append(args, "-set", s)
	}
	return args
}

// results are the files whose bytes must not depend on interruptions.
func results(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		top, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		ext := filepath.Ext(rel)
		if (top == "gen" || top == "compare" || top == "predictions") && ext == ".png" || (top == "gen" || top == "compare") && ext == ".json" && d.Name() != "run.json" && d.Name() != eval.SpeedFile || ext == ".safetensors" {
			found[rel], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestRunSurvivesKill runs the pipeline twice: once undisturbed, once killed
// again and again. Labels, checkpoints and predictions must be the same bytes.
func TestRunSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	scenes := filepath.Join(dir, "scenes")
	calm := wsssCommand(t, tinyRun(filepath.Join(dir, "calm"), scenes)...)
	start := time.Now()
	text, err := calm.CombinedOutput()
	if err != nil {
		t.Fatalf("the undisturbed run: %v\n%s", err, text)
	}
	took := time.Since(start)
	for _, want := range []string{"pseudo-label mIoU", "from points", "network trained on pseudo-labels", " on train ", "same network trained on true masks", "report.html"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the run does not print %q:\n%s", want, text)
		}
	}
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	kills := 0
	for done := false; !done; {
		cmd := wsssCommand(t, tinyRun(filepath.Join(dir, "killed"), scenes)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		wait := time.Duration(float64(took) * (0.1 + 0.5*r.Float64()))
		if kills >= 6 {
			wait = 20*took + time.Minute
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("run %d: %v", kills+1, err)
			}
			done = true
		case <-time.After(wait):
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-ended
			kills++
		}
	}
	if kills == 0 {
		t.Fatal("the run was never killed: nothing was tested")
	}
	want, got := results(t, filepath.Join(dir, "calm")), results(t, filepath.Join(dir, "killed"))
	if len(want) < 2*(10+10)+4+4+2 {
		t.Fatalf("the undisturbed run left only %d files", len(want))
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is there after %d kills, and not after the undisturbed run", name, kills)
		}
	}
	for name, raw := range want {
		if !bytes.Equal(raw, got[name]) {
			t.Errorf("%s differs after %d kills", name, kills)
		}
	}
}
