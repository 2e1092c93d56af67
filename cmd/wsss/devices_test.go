package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
		return output(t, wsssCommand(t, args...), want)
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

// TestDevicesDie: gen on two devices that is killed, stopped by Ctrl-C, or fails at
// one photo leaves nothing half written, and ends with the bytes of one device.
func TestDevicesDie(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("compiles SAM on two devices, five times: set WSSS_VERIFY=1")
	}
	if _, err := nativelib.XLACPU.Find(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	gen := func(out, devices string, more ...string) *exec.Cmd {
		args := append(tinyRun(filepath.Join(dir, out), filepath.Join(dir, "scenes")), "-backend", "xla:cpu", "-devices", devices, "-set", "compare=[]", "-set", "eval.zero_shot=[]")
		return wsssCommand(t, append(append([]string{"gen"}, args[1:]...), more...)...)
	}
	if text, err := gen("one", "1").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want := pngs(t, filepath.Join(dir, "one"))
	first := filepath.Join(dir, "two", "gen", "*.png")
	for _, how := range []os.Signal{os.Kill, os.Interrupt} {
		before, _ := filepath.Glob(first)
		cmd := gen("two", "2")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for sent := false; !sent; {
			select {
			case err := <-ended:
				t.Fatalf("it ended before it was stopped: %v", err)
			case <-time.After(5 * time.Millisecond):
				if found, _ := filepath.Glob(first); len(found) > len(before) {
					sent = cmd.Process.Signal(how) == nil
				}
			}
		}
		<-ended
		if code := cmd.ProcessState.ExitCode(); how == os.Interrupt && code != exitInterrupted && code != exitOK {
			t.Errorf("Ctrl-C ends with %d", code)
		}
		for name, raw := range pngs(t, filepath.Join(dir, "two")) {
			if raw != want[name] && !strings.HasPrefix(filepath.Base(name), ".tmp-") { // what a killed process had begun
				t.Errorf("after %v %s is another", how, name)
			}
		}
	}
	if text, err := gen("two", "2").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	got := pngs(t, filepath.Join(dir, "two"))
	if len(got) != len(want) || len(want) == 0 { // nothing half written is left
		t.Errorf("%d label maps, want %d", len(got), len(want))
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s differs", name)
		}
	}
	// A photo that cannot be read fails by its name, and no other does.
	bad := slices.Min(slices.Collect(maps.Keys(want)))
	id := strings.TrimSuffix(filepath.Base(bad), ".png")
	if err := os.Truncate(filepath.Join(dir, "scenes", "JPEGImages", id+".jpg"), 200); err != nil {
		t.Fatal(err)
	}
	cmd := gen("three", "2", "-keep-going")
	text, _ := cmd.CombinedOutput() // the code says it
	if code := cmd.ProcessState.ExitCode(); code == exitOK || !strings.Contains(string(text), id) {
		t.Errorf("a broken photo: exit code %d\n%s", code, text)
	}
	delete(want, bad)
	if got := pngs(t, filepath.Join(dir, "three")); !maps.Equal(got, want) {
		t.Errorf("%d label maps beside the broken photo, want %d", len(got), len(want))
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
