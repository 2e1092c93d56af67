package main

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"
)

// TestOwnPhotosSurviveKill: a run over photos without any true mask, killed
// once in each stage, ends with the same bytes as an undisturbed one.
func TestOwnPhotosSurviveKill(t *testing.T) {
	dir := t.TempDir()
	photos := filepath.Join(dir, "photos")
	partPhotos(t, photos)
	run := func(out string) []string {
		return partRun(photos, filepath.Join(dir, out), "train.iterations=12", "gen.workers=1")
	}
	if raw, err := wsssCommand(t, run("calm")...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	kills := 0
	for _, mark := range []string{"gen/*.png", "train/pseudo/step-*", "predictions/*/*.png", "report_files/*"} {
		cmd := wsssCommand(t, run("killed")...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for done := false; !done; {
			select {
			case <-ended:
				done = true
			case <-time.After(time.Millisecond):
				if found, _ := filepath.Glob(filepath.Join(dir, "killed", filepath.FromSlash(mark))); len(found) > 0 {
					if cmd.Process.Kill() == nil {
						kills++
					}
					<-ended
					done = true
				}
			}
		}
	}
	if kills == 0 {
		t.Fatal("the run was never killed: nothing was tested")
	}
	if raw, err := wsssCommand(t, run("killed")...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	want, got := results(t, filepath.Join(dir, "calm")), results(t, filepath.Join(dir, "killed"))
	if len(want) < 3+3+2+1 || len(got) != len(want) {
		t.Fatalf("%d files after %d kills, %d undisturbed", len(got), kills, len(want))
	}
	for name, raw := range want {
		if !bytes.Equal(raw, got[name]) {
			t.Errorf("%s differs after %d kills", name, kills)
		}
	}
}
