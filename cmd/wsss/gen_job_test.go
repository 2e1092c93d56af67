package main

import (
	"path/filepath"
	"testing"
)

func TestJobFlags(t *testing.T) {
	dir := t.TempDir()
	base := []string{"gen", "-quiet", "-set", "data.kind=scenes", "-set", "out=" + dir, "-config", "../../configs/demo.toml"}
	for _, tc := range []struct {
		args []string
		code int
	}{
		{[]string{"-retry-failed"}, exitUsage},
		{[]string{"-job", "a/b"}, exitUsage},
		{[]string{"-job", "a", "-shard", "0/2"}, exitUsage},
		{[]string{"-job", "a", "-lease", "1ms"}, exitUsage},
		{[]string{"-job", "a", "-status"}, exitUsage}, // there is none
		{[]string{"-status"}, exitFailed},             // nothing is begun
	} {
		if code := dispatch(t.Context(), append(base, tc.args...)); code != tc.code {
			t.Errorf("%v: exit code %d, want %d", tc.args, code, tc.code)
		}
	}
}

// TestOtherJobIsFinal: a name that stands for another config is a mistake that stays.
func TestOtherJobIsFinal(t *testing.T) {
	dir := t.TempDir()
	photos := filepath.Join(dir, "photos")
	partPhotos(t, photos)
	args := storeRun("gen", photos, filepath.Join(dir, "out"), "-job", "j")
	if code := dispatch(t.Context(), args); code != exitOK {
		t.Fatal(code)
	}
	if code := dispatch(t.Context(), append(args, "-set", "gen.fuse.min_area=3")); code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
}
