package gen

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// TestReplaced: of two runs of different configs on one folder the first ends
// with an error that names both, and the second makes all of the labels.
func TestReplaced(t *testing.T) {
	defer func(d time.Duration) { lookEvery = d }(lookEvery)
	lookEvery = 0
	dir := t.TempDir()
	first, method := fakeRun(dir, 8)
	first.Workers, first.KeepGoing = 1, true
	second, _ := fakeRun(dir, 8)
	second.ConfigHash = "other"
	var other sync.WaitGroup
	begun := false
	method.before = func() {
		if begun {
			return
		}
		begun = true
		other.Go(func() { mustRun(t, second) })
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if m, err := ReadManifest(dir); err == nil && m.ConfigHash == "other" {
				return
			}
		}
		t.Error("the second run did not begin")
	}
	_, err := Run(t.Context(), first)
	other.Wait()
	if err == nil || !strings.Contains(err.Error(), "other") || !strings.Contains(err.Error(), first.ConfigHash) || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v: want an error that names the folder and both configs", err)
	}
	if s := mustRun(t, second); s.Generated > 1 || s.Skipped < 7 { // the image that the first was at
		t.Errorf("%+v: labels of the second run are gone", s)
	}
}
