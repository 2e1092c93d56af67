package main

import (
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
