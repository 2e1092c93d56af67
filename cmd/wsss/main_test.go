package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wsss/data/datatest"
	"wsss/models/manifest"
)

// TestMain lets tests run this binary as wsss itself, to kill it or to look at
// its exit code.
func TestMain(m *testing.M) {
	if os.Getenv("WSSS_TEST_AS_COMMAND") != "" {
		commands = append(commands, command{Name: "test-fault", run: faultyCommand}, command{Name: "test-blocked", run: blockedCommand})
		main()
		return
	}
	os.Exit(m.Run())
}

// command prepares wsss as a process of its own.
func wsssCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), "WSSS_TEST_AS_COMMAND=1")
	return cmd
}

// output runs a command, ends the test where it has another exit code, and returns what
// it prints.
func output(t *testing.T, cmd *exec.Cmd, code int) string {
	t.Helper()
	text, _ := cmd.CombinedOutput() // the code says it
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("%v: exit code %d, want %d\n%s", cmd.Args[1:], got, code, text)
	}
	return string(text)
}

func has(t *testing.T, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Errorf("lacks %q:\n%s", want, text)
	}
}

// capture returns what do prints to standard output.
func capture(t *testing.T, do func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = w
	text := make(chan string)
	go func() {
		raw, _ := io.ReadAll(r)
		text <- string(raw)
	}()
	defer func() { os.Stdout = old }()
	do()
	w.Close()
	return <-text
}

func TestExitCodes(t *testing.T) {
	t.Setenv(manifest.Env, t.TempDir())
	photos := filepath.Join(t.TempDir(), "photos")
	partPhotos(t, photos, "a")
	checkpoint := filepath.Join(t.TempDir(), "net.safetensors")
	datatest.Write(t, checkpoint, "weights")
	tests := []struct {
		args []string
		code int
		says string // in standard error
	}{
		{nil, exitUsage, ""},
		{[]string{"help"}, exitOK, ""},
		{[]string{"-help"}, exitOK, ""},
		{[]string{"help", "run"}, exitOK, "wsss run -config"},
		{[]string{"help", "data", "validate"}, exitOK, "wsss data validate -config"},
		{[]string{"help", "rnu"}, exitUsage, "did you mean run?"},
		{[]string{"--version"}, exitOK, ""},
		{[]string{"predict", "-checkpoint", checkpoint, "-method", "grabcut", photos}, exitUsage, "both are given: allowed is -checkpoint or -method"},
		{[]string{"trian"}, exitUsage, "did you mean train?"},
		{[]string{"--predcit"}, exitUsage, "did you mean predict?"},
		{[]string{"validate"}, exitUsage, "did you mean data validate?"},
		{[]string{"pull"}, exitUsage, "did you mean models pull?"},
		{[]string{"predict", "-checkpoint", checkpoint, "-out", t.TempDir(), "no-photo.jpg"}, exitUsage, "predict: there is no file or folder no-photo.jpg"},
		{[]string{"data", "choose", "-features", "dinov2-small", photos}, exitMissing, "wsss models pull dinov2-small"},
		{[]string{"data", "validate", "-kind", "folder", "-root", photos, "-workers", "-1"}, exitUsage, "data validate: -workers -1: allowed are 0 and more"},
		{[]string{"data", "weaken", "-masks", photos, "-out", "x", "-merge-gap", "-2"}, exitUsage, "data weaken: -merge-gap -2: allowed are 0 and more"},
		{[]string{"data", "export", "-masks", photos, "-format", "coco", "-out", "x", "-tolerance", "-1"}, exitUsage, "data export: -tolerance -1: allowed are 0..100 pixels"},
		{[]string{"data", "export", "-masks", photos, "-format", "overlay", "-out", "x", "-opacity", "2"}, exitUsage, "-opacity 2: allowed are numbers above 0, up to 1"},
		{[]string{"data", "export", "-masks", photos, "-format", "coco", "-out", "x", "-min-area", "-3"}, exitUsage, "-min-area -3: allowed are 0 and more"},
		{[]string{"predict", "-method", "grabcut", "-format", "png,xyz", photos}, exitUsage, "predict: -format png,xyz: allowed are png, overlay,"},
		{[]string{"predict", "-method", "grabcut", "-tolerance", "-1", photos}, exitUsage, "predict: -tolerance -1: allowed are 0..100 pixels"},
		{[]string{"predict", "-method", "grabcut", "-min-area", "-1", photos}, exitUsage, "predict: -min-area -1: allowed are 0 and more"},
		{[]string{"data", "pack", "-root", photos, "-out", "x", "-size", "0"}, exitUsage, "data pack: -size 0: allowed are 1..1048576 MiB"},
		{[]string{"data", "scenes", "-out", filepath.Join(t.TempDir(), "new"), "-classes", "99"}, exitUsage, "data scenes: -classes 99: allowed are 2..10"},
		{[]string{"data", "scenes", "-out", filepath.Join(t.TempDir(), "new"), "-min-size", "9"}, exitUsage, "data scenes: -min-size 9: allowed are 32..1024"},
		{[]string{"models", "parity", "-backends", "go, tpu", "no-such"}, exitUsage, `models parity: -backends: backend "tpu" is unknown`},
		{[]string{"data", "openimages", "-out", "x", "-classes", "pascal"}, exitUsage, "-classes pascal: allowed are voc, coco"},
		{[]string{"data", "openimages", "-out", "x", "-split", "tarin"}, exitUsage, "-split tarin: allowed are train, validation, test"},
		{[]string{"data", "openimages", "-out", "x", "-labels", "l.csv", "-per-class", "-1"}, exitUsage, "-per-class -1: allowed are 0 and more"},
		{[]string{"init", "-kind", "coc", photos}, exitUsage, "init: -kind coc: allowed are coco, folder,"},
		{[]string{"data", "valdate"}, exitUsage, "did you mean validate?"},
		{[]string{"models", "lits"}, exitUsage, "did you mean list?"},
		{[]string{"run"}, exitUsage, "-config is missing"},
		{[]string{"run", "-h"}, exitOK, "wsss run -config"},
		{[]string{"run", "-no-such-flag"}, exitUsage, "no-such-flag"},
		{[]string{"run", "extra", "-config", "x"}, exitUsage, "give one config by -config"},
		{[]string{"run", "-config", "no-such.toml"}, exitUsage, "no-such.toml"},
		{[]string{"run", "-config", "../../configs/demo.toml", "-set", "train.batc=8"}, exitUsage, "train.batc"},
		{[]string{"run", "-config", "../../configs/demo.toml", "-set", "gen.method=magic", "-dry-run"}, exitUsage, "grabcut"},
		{[]string{"gen", "-config", "../../configs/demo.toml", "-shard", "3/2"}, exitUsage, "0 <= i < n"},
		{[]string{"train", "-config", "../../configs/demo.toml", "-net", "best", "-set", "data.root=" + t.TempDir(), "-set", "data.options.train=1", "-set", "data.options.val=1", "-set", "out=" + t.TempDir()}, exitUsage, "pseudo"},
		{[]string{"predict"}, exitUsage, "-checkpoint"},
		{[]string{"predict", "-checkpoint", "missing.ckpt", "-out", t.TempDir(), "no-photos"}, exitUsage, "-checkpoint missing.ckpt: there is no file"},
		{[]string{"eval", "-checkpoint", "missing.ckpt"}, exitUsage, "-checkpoint missing.ckpt: there is no file"},
		{[]string{"eval", "-checkpoint", "ours=missing.ckpt"}, exitUsage, "no file or folder missing.ckpt"},
		{[]string{"eval", "-labels", "no-labels"}, exitUsage, "-labels: there is no folder no-labels"},
		{[]string{"export", "-checkpoint", checkpoint, "-out", checkpoint}, exitUsage, "would replace the checkpoint"},
		{[]string{"export", "-checkpoint", "missing.ckpt", "-out", "x.onnx"}, exitUsage, "-checkpoint missing.ckpt: there is no file"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			cmd := wsssCommand(t, tt.args...)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			_ = cmd.Run() // the code says it
			if got := cmd.ProcessState.ExitCode(); got != tt.code {
				t.Errorf("exit code %d, want %d; stderr: %s", got, tt.code, stderr.String())
			}
			if !strings.Contains(stderr.String(), tt.says) {
				t.Errorf("stderr %q does not say %q", stderr.String(), tt.says)
			}
		})
	}
}

func TestHelpListsEveryCommand(t *testing.T) {
	text := capture(t, func() { dispatch(context.Background(), []string{"help"}) })
	for _, c := range commands {
		if !strings.Contains(text, "  "+c.Name+" ") {
			t.Errorf("the help does not list %q", c.Name)
		}
	}
}
