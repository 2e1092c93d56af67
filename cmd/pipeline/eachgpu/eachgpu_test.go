package eachgpu

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"wsss/checkpoints/files"
)

// envChild makes TestChild a process that Run starts: the file that it writes if it is
// let alone for a second.
const envChild = "WSSS_TEST_CHILD"

func TestChild(t *testing.T) {
	path := os.Getenv(envChild)
	if path == "" {
		t.Skip("a process of TestRunStops")
	}
	time.Sleep(time.Second)
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Error(err)
	}
}

// TestRunStops: where one process cannot be started, those before it do not go on alone.
func TestRunStops(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lived")
	t.Setenv(envChild, path)
	if err := Run(t.Context(), []string{"0", "\x00"}, []string{"-test.run=^TestChild$"}, io.Discard, io.Discard); err == nil {
		t.Error("an environment variable with a zero byte was accepted")
	}
	time.Sleep(1500 * time.Millisecond)
	if files.Exists(path) {
		t.Error("the first process went on")
	}
}

func TestList(t *testing.T) {
	for _, tc := range []struct {
		visible, text string
		want          []string
	}{
		{"0,1,2", "all", []string{"0", "1", "2"}},
		{"GPU-a, GPU-b", "2", []string{"GPU-a", "GPU-b"}},
		{"4,5,6", "2", []string{"4", "5"}},
		{"4,5", "3", nil},
		{"4,5", "0", nil},
		{"4,5", "many", nil},
		{"", "all", nil},
	} {
		t.Setenv(envVisible, tc.visible)
		got, err := List(tc.text)
		if !slices.Equal(got, tc.want) || (err == nil) != (tc.want != nil) {
			t.Errorf("%q of %q: %v, %v; want %v", tc.text, tc.visible, got, err, tc.want)
		}
	}
}

func TestWithoutFlag(t *testing.T) {
	for _, tc := range [][2][]string{
		{{"-job", "a", "-gpus", "all", "-quiet"}, {"-job", "a", "-quiet"}},
		{{"--gpus=2", "-job", "gpus"}, {"-job", "gpus"}},
	} {
		if got := WithoutFlag(tc[0], "gpus"); !slices.Equal(got, tc[1]) {
			t.Errorf("%v: %v, want %v", tc[0], got, tc[1])
		}
	}
}
