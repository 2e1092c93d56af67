package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/data/datatest"
)

// TestRetrieve: a run labels its photos by retrieval, the sidecars say by which
// photos, and the bank labels other photos as a predictor; where it has regions of
// the photos that are scored, the row says so.
func TestRetrieve(t *testing.T) {
	dir := t.TempDir()
	bank := filepath.Join(dir, "bank.safetensors")
	config := filepath.Join(dir, "run.toml")
	text := fmt.Sprintf(`
out = "%[1]s/out"
[data]
kind = "scenes"
root = "%[1]s/scenes"
train_split = "train"
val_split = "val"
[data.options]
train = 10
val = 3
min_size = 64
max_size = 64
[train]
skip = true
[gen]
method = "retrieve"
weak = "tags"
[gen.options]
bank = "%[2]s"
min_area = 20
erode = 1
empty = "allow"
features = { network = "../../models/resnet/tiny/resnet18_w025_scenes.safetensors", side = 60, stride = 8 }
proposals = [{ labels = "%[1]s/scenes/SegmentationClass" }]
from = { labels = "%[1]s/scenes/SegmentationClass" }
[[eval.zero_shot]]
name = "retrieval"
method = "retrieve"
[eval.zero_shot.options]
bank = "%[2]s"
min_area = 20
features = { network = "../../models/resnet/tiny/resnet18_w025_scenes.safetensors", side = 60, stride = 8 }
proposals = [{ method = "grabcut" }]
`, dir, bank)
	datatest.Write(t, config, text)
	if out, err := wsssCommand(t, "data", "scenes", "-out", filepath.Join(dir, "scenes"), "-train", "10", "-val", "3", "-min-size", "64", "-max-size", "64", "-quiet").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(args ...string) string {
		cmd := wsssCommand(t, append([]string{args[0], "-backend", "go", "-config", config}, args[1:]...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	out := run("run")
	if strings.Contains(out, "no test") || !strings.Contains(out, "retrieval") {
		t.Errorf("a run:\n%s", out)
	}
	sidecars, _ := filepath.Glob(filepath.Join(dir, "out", "*", "train_*.json"))
	vouched := 0
	for _, path := range sidecars {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		id := strings.TrimSuffix(filepath.Base(path), ".json")
		vouched += strings.Count(string(raw), `"vouched_by"`)
		if strings.Contains(string(raw), `"photo": "`+id+`"`) {
			t.Errorf("%s vouches for itself", id)
		}
	}
	if len(sidecars) != 10 || vouched < 5 {
		t.Errorf("%d sidecars, %d masks with photos that vouch for them", len(sidecars), vouched)
	}
	out = run("eval", "-only", "retrieval", "-set", "data.val_split=train", "-set", "out="+dir+"/other")
	if !strings.Contains(out, "learnt from 10 of the 10 photos that are scored: that number is no test") {
		t.Errorf("scored on the photos of the bank:\n%s", out)
	}
}
