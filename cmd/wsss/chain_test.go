package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/data/datatest"
	"wsss/train/runlog"
)

// writeChain writes a row on CAMs and the config of their classifier, small
// enough for seconds; more is appended to the row.
func writeChain(t *testing.T, dir, more string) (row string) {
	t.Helper()
	const size = "[data.options]\nseed = 1\ntrain = 8\nval = 4\nmin_size = 48\nmax_size = 56\n"
	classifier := "out = \"" + dir + "/cams\"\n[data]\nkind = \"scenes\"\nroot = \"" + dir + "/scenes\"\ntrain_split = \"train\"\n" + size +
		"[classifier]\nbackbone = \"resnet18\"\nwidth = 0.125\nbatch_norm = \"train\"\ncut_after = 0\noptimizer = \"adamw\"\nlr = 4e-3\nepochs = 2\nbatch = 4\nlong = [48, 64]\ncrop = 48\n"
	for name, text := range map[string]string{
		"base/cams.toml": classifier,
		"row.toml": "out = \"" + dir + "/row\"\n[[needs]]\nconfig = \"base/cams.toml\"\n[data]\nkind = \"scenes\"\nroot = \"" + dir + "/others\"\ntrain_split = \"train\"\n" + size +
			"[gen]\nmethod = \"cam\"\nweak = \"tags\"\noptions = { classifier = \"" + dir + "/cams/classifier/classifier.safetensors\" }\n[train]\nskip = true\n" + more,
		// The same in one file.
		"own.toml": strings.Replace(classifier, dir+"/cams", dir+"/own", 1) +
			"[gen]\nmethod = \"cam\"\nweak = \"tags\"\noptions = { classifier = \"" + dir + "/own/classifier/classifier.safetensors\" }\n",
	} {
		path := filepath.Join(dir, name)
		datatest.Write(t, path, text)
	}
	return filepath.Join(dir, "row.toml")
}

func chainRun(t *testing.T, config string, more ...string) (string, int) {
	t.Helper()
	cmd := wsssCommand(t, append([]string{"run", "-backend", "go", "-config", config}, more...)...)
	text, _ := cmd.CombinedOutput() // the code says it
	return string(text), cmd.ProcessState.ExitCode()
}

// TestChain: one command makes the classifier that a row needs, and the row;
// again it does nothing, even after the classifier's own data have gone.
func TestChain(t *testing.T) {
	dir := t.TempDir()
	row := writeChain(t, dir, "")
	if text, code := chainRun(t, row, "-dry-run"); code != exitOK || !strings.Contains(text, "first, what it needs: "+dir+"/base/cams.toml") || !strings.Contains(text, "made by an earlier step") {
		t.Fatalf("plan: exit code %d\n%s", code, text)
	}
	text, code := chainRun(t, row)
	if code != exitOK || !strings.Contains(text, "needs "+dir+"/base/cams.toml") || !strings.Contains(text, "pseudo-label mIoU") {
		t.Fatalf("exit code %d\n%s", code, text)
	}
	made := results(t, filepath.Join(dir, "row"))
	log := filepath.Join(dir, "cams/classifier", runlog.File)
	updates, err := os.ReadFile(log)
	if err != nil || len(made) < 16 {
		t.Fatalf("%v; %d files", err, len(made))
	}
	if text, code := chainRun(t, row, "-dry-run"); code != exitOK || !strings.Contains(text, "\ndone\n") {
		t.Errorf("plan of what is done: exit code %d\n%s", code, text)
	}
	if err := os.RemoveAll(filepath.Join(dir, "scenes")); err != nil {
		t.Fatal(err)
	}
	if text, code := chainRun(t, row); code != exitOK {
		t.Fatalf("again: exit code %d\n%s", code, text)
	}
	if again, err := os.ReadFile(log); err != nil || !bytes.Equal(again, updates) {
		t.Errorf("the classifier was trained again: %v", err)
	}
	// A recorded config stands alone.
	if text, code := chainRun(t, filepath.Join(dir, "row/config.toml"), "-dry-run"); code != exitOK || strings.Contains(text, "first, what it needs") {
		t.Errorf("recorded config: exit code %d\n%s", code, text)
	}
	if text, code := chainRun(t, filepath.Join(dir, "own.toml")); code != exitOK || !strings.Contains(text, "pseudo-label mIoU") {
		t.Errorf("a config with a classifier of its own: exit code %d\n%s", code, text)
	}
}

// TestChainErrors: what is wrong anywhere in a chain is said before any work.
func TestChainErrors(t *testing.T) {
	for _, tt := range []struct {
		name, set, want string
		code            int
	}{
		{"circle", `needs=[{config="DIR/row.toml"}]`, "circle: DIR/row.toml needs DIR/row.toml", exitUsage},
		{"no file", `needs=[{config="DIR/none.toml"}]`, "row.toml: needs[0]: open DIR/none.toml", exitUsage},
		{"its key", `needs=[{config="DIR/base/cams.toml", set=["classifier.epochs=0"]}]`, "cams.toml: classifier.epochs = 0", exitUsage},
		{"its data", `needs=[{config="DIR/base/cams.toml", set=["data.kind=voc", "data.options={}", "data.root=DIR/none"]}]`, "dataset voc at DIR/none", exitMissing},
		{"its weights", `needs=[{config="DIR/base/cams.toml", set=["classifier.network.init=DIR/none.pth"]}]`, "DIR/none.pth", exitMissing},
		{"another key", `needs=[{confg="x"}]`, "allowed are config, set", exitUsage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			row := writeChain(t, dir, "")
			here := strings.NewReplacer("DIR", dir)
			for _, dry := range [][]string{nil, {"-dry-run"}} {
				text, code := chainRun(t, row, append(dry, "-set", here.Replace(tt.set))...)
				if code != tt.code || !strings.Contains(text, here.Replace(tt.want)) {
					t.Errorf("%v: exit code %d, want %d: %s", dry, code, tt.code, text)
				}
			}
			if _, err := os.Stat(filepath.Join(dir, "cams/classifier")); err == nil {
				t.Error("training began all the same")
			}
		})
	}
}
