package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/models/backend/nativelib"
)

// TestDevicesLabelTheSame: gen and eval on two devices write the bytes of one.
func TestDevicesLabelTheSame(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("compiles SAM and a network on two devices: set WSSS_VERIFY=1")
	}
	if _, err := nativelib.XLACPU.Find(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	scenes := filepath.Join(dir, "scenes")
	run := func(want int, args ...string) string {
		t.Helper()
		cmd := wsssCommand(t, args...)
		text, _ := cmd.CombinedOutput() // the code says it
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Fatalf("%v: exit code %d, want %d\n%s", args, got, want, text)
		}
		return string(text)
	}
	args := append(tinyRun(dir, scenes), "-set", "compare=[]", "-set", "eval.zero_shot=[]", "-set", "train.iterations=2", "-set", "train.checkpoint.val_every=0", "-set", "train.bound=false")
	run(exitOK, args...)
	checkpoint := filepath.Join(dir, "train", "pseudo")
	labels := map[string]map[string]string{}
	for _, devices := range []string{"1", "2"} {
		out := filepath.Join(dir, "on"+devices)
		more := append(args[1:len(args):len(args)], "-backend", "xla:cpu", "-set", "out="+out, "-devices", devices)
		text := run(exitOK, append([]string{"gen"}, more...)...)
		text += run(exitOK, append([]string{"eval", "-checkpoint", "net=" + checkpoint}, more...)...)
		if strings.Contains(text, "on 2 devices") != (devices == "2") {
			t.Errorf("-devices %s says %s", devices, text)
		}
		labels[devices] = pngs(t, out)
	}
	for name, want := range labels["1"] {
		if labels["2"][name] != want {
			t.Errorf("%s differs on two devices", name)
		}
	}
	if len(labels["1"]) < 5 || len(labels["1"]) != len(labels["2"]) {
		t.Errorf("%d and %d label maps", len(labels["1"]), len(labels["2"]))
	}
}

func TestDevicesRefused(t *testing.T) {
	for _, args := range [][]string{{"gen", "-devices", "0"}, {"eval", "-devices", "many"}} {
		cmd := wsssCommand(t, args...)
		text, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(string(text), "1..64, or all") && !strings.Contains(string(text), "-devices") {
			t.Errorf("%v: %s", args, text)
		}
	}
}

// pngs reads all label maps below a folder.
func pngs(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".png" {
			return err
		}
		raw, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[name] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
