//go:build unix

package gen

import (
	"context"
	"errors"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wsss/checkpoints/jobs"
)

// jobEnv makes a child take part in a job instead of working alone.
const jobEnv = "WSSS_TEST_JOB"

// Three processes of one job are killed again and again; the labels are those
// of one process.
func TestJobSurvivesKill(t *testing.T) {
	want := undisturbed(t, killImages)
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(3, 4))
	t.Setenv(jobEnv, "1")
	killed := 0
	for range 6 {
		var children []*exec.Cmd
		for range 3 {
			children = append(children, startChild(t, dir))
		}
		time.Sleep(time.Duration(20+rng.IntN(60)) * time.Millisecond)
		for _, c := range children {
			c.Process.Kill()
		}
		for _, c := range children {
			if c.Wait() != nil {
				killed++
			}
		}
	}
	if killed == 0 {
		t.Error("no process was killed before it finished")
	}
	a, b := startChild(t, dir), startChild(t, dir)
	if err := errors.Join(a.Wait(), b.Wait()); err != nil {
		t.Fatal(err)
	}
	same(t, contents(t, dir), want)
	s, err := jobs.Status(filepath.Join(JobsDir(dir), "test"))
	if err != nil || s.Done != killImages || s.Open != 0 {
		t.Errorf("%+v %v", s, err)
	}
}

// Images that fail are listed once, whoever tried them, and tried again on
// request; the others are labelled.
func TestJobFailures(t *testing.T) {
	dir := t.TempDir()
	o, method := fakeRun(dir, 40)
	o.Job = &Job{Name: "j", Chunk: 10}
	method.fail = map[string]error{"im003": errFake, "im027": errors.New("panic")}
	sum, err := Run(context.Background(), o)
	var failed *FailedError
	if !errors.As(err, &failed) || len(failed.Failures) != 2 || failed.Failures[0].ID != "im003" || failed.Failures[1].ID != "im027" {
		t.Fatalf("%v", err)
	}
	if sum.Generated != 38 || sum.Failed != 2 {
		t.Errorf("%+v", sum)
	}
	o2, healthy := fakeRun(dir, 40)
	o2.Job = &Job{Name: "j", Chunk: 10}
	if sum, err = Run(context.Background(), o2); !errors.As(err, &failed) || len(failed.Failures) != 2 || sum.Generated != 0 {
		t.Errorf("a finished job: %v, %+v", err, sum)
	}
	o2.Job.Retry = true
	if sum, err = Run(context.Background(), o2); err != nil || sum.Generated != 2 || healthy.calls.Load() != 2 {
		t.Errorf("%v, %+v, %d calls", err, sum, healthy.calls.Load())
	}
	same(t, contents(t, dir), undisturbed(t, 40))
}

func TestJobRefuses(t *testing.T) {
	dir := t.TempDir()
	o, _ := fakeRun(dir, 10)
	o.Job = &Job{Name: "j"}
	if _, err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	o.ConfigHash = "another"
	if _, err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "another config") {
		t.Errorf("the same job with another config: %v", err)
	}
	busy, err := jobs.Join(t.Context(), filepath.Join(JobsDir(dir), "k"), jobs.Plan{Hash: "x", Items: 3})
	if err != nil {
		t.Fatal(err)
	}
	o.Job = &Job{Name: "l"}
	if _, err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), `job "k" is at work`) {
		t.Errorf("two configs at work on one folder: %v", err)
	}
	busy.Leave(nil)
	if _, err := Run(context.Background(), o); err != nil {
		t.Errorf("after it: %v", err)
	}
	o.Shard = Shard{0, 2}
	if _, err := Run(context.Background(), o); err == nil {
		t.Error("a shard of a job")
	}
}

// A process with a job helps another at the end, from the back.
func TestJobHelps(t *testing.T) {
	dir := t.TempDir()
	o, _ := fakeRun(dir, 30)
	o.Workers = 2
	o.Job = &Job{Name: "j", Chunk: 30, Expire: time.Second}
	slow := o
	set := &fakeSet{n: 30}
	slow.Dataset = set
	slow.Method = &fakeMethod{set: set, delay: 40 * time.Millisecond}
	done := make(chan Summary, 1)
	go func() {
		sum, err := Run(context.Background(), slow)
		if err != nil {
			t.Error(err)
		}
		done <- sum
	}()
	for range 1000 { // until the slow one has the chunk
		if s, err := jobs.Status(filepath.Join(JobsDir(dir), "j")); err == nil && len(s.Workers) > 0 && s.Workers[0].At != "" {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	fast, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	first := <-done
	if fast.Generated < 10 || fast.Generated+first.Generated > 34 || first.Skipped == 0 {
		t.Errorf("the slow one made %d and found %d, the fast one made %d", first.Generated, first.Skipped, fast.Generated)
	}
	same(t, contents(t, dir), undisturbed(t, 30))
}

// TestFront: a part is done up to the first image that is not.
func TestFront(t *testing.T) {
	f := newFront([]string{"a", "b", "c", "d"})
	for _, tc := range []struct {
		id   string
		want int
	}{{"b", 0}, {"x", 0}, {"a", 2}, {"d", 2}, {"c", 4}} {
		if n := f.mark(tc.id); n != tc.want {
			t.Errorf("after %s: %d, want %d", tc.id, n, tc.want)
		}
	}
}
