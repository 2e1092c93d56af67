package train

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/data/datatest"
)

// childEnv makes the test binary train in the folder it names.
const childEnv = "WSSS_TEST_TRAIN_DIR"

// TestKilled kills a training process at random times until one gets through,
// and compares what it leaves with an undisturbed run, byte by byte. The time counts
// from the start of every third process, of the others from the first update, before
// which some engines compile for long.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(childEnv); dir != "" {
		job := killJob(t, dir)
		job.Progress = func(int, int) {
			fmt.Println("update")
			time.Sleep(4 * time.Millisecond) // widen the target
		}
		if _, err := Run(context.Background(), job); err != nil {
			t.Fatal(err)
		}
		return
	}
	whole := killJob(t, t.TempDir())
	if _, err := Run(context.Background(), whole); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	kills := 0
	for limit := 150 * time.Millisecond; ; limit += 40 * time.Millisecond {
		after, start := limit/2+time.Duration(rng.Int64N(int64(limit))), kills%3 == 2
		if !start {
			after /= 4 // all updates take a tenth of a second
		}
		if !killedAfter(t, dir, after, start) {
			break
		}
		if kills++; kills > 100 {
			t.Fatal("killed 100 times without an end")
		}
	}
	t.Logf("killed %d times", kills)
	if kills == 0 {
		t.Error("never killed: the test proves nothing")
	}
	sameFiles(t, whole.OutDir, dir, checkpoints.FileName(24), checkpoints.FileName(20), LogFile, "loss.svg", "miou.svg")
}

// killedAfter trains in a process that is killed with SIGKILL so long after its start,
// or after its first update; it is false if the training ended before.
func killedAfter(t *testing.T, dir string, after time.Duration, start bool) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := &output{begun: make(chan struct{})}
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stdout, cmd.Stderr = out, out
	go func() {
		if !start {
			<-out.begun // at the latest with the verdict of the test
		}
		time.Sleep(after)
		cancel()
	}()
	err := cmd.Run()
	if err != nil && ctx.Err() == nil {
		t.Fatalf("%v\n%s", err, out.text)
	}
	return err != nil
}

// output is what a process writes; begun is closed with its first words.
type output struct {
	text  []byte
	begun chan struct{}
	once  sync.Once
}

func (o *output) Write(p []byte) (int, error) {
	o.once.Do(func() { close(o.begun) })
	o.text = append(o.text, p...)
	return len(p), nil
}

func killJob(t *testing.T, dir string) Job {
	job := tinyJob(t, dir)
	job.Config.Iterations, job.Config.Accumulate, job.Config.CheckpointEvery, job.Config.ValEvery = 24, 2, 4, 8
	return job
}

// TestKilledAtTheEnd: killed after the last checkpoint and before its result was
// written down, a training is not done again, and the result is.
func TestKilledAtTheEnd(t *testing.T) {
	job := killJob(t, t.TempDir())
	if _, err := Run(context.Background(), job); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(job.OutDir, RunFile)
	read := func() (info runInfo) {
		datatest.JSON(t, path, &info)
		return info
	}
	whole := read()
	cut := whole
	cut.Result = nil
	if err := files.WriteJSON(path, cut); err != nil {
		t.Fatal(err)
	}
	res, err := Run(context.Background(), job)
	if err != nil || !res.Skipped {
		t.Fatalf("%+v, %v", res, err)
	}
	got := read()
	if got.Result == nil || got.Result.Steps != whole.Result.Steps || got.Result.Loss != whole.Result.Loss || got.Backend != whole.Backend || !maps.Equal(got.Versions, whole.Versions) {
		t.Errorf("%+v, want %+v", got, whole)
	}
}

// TestSideBySide trains two networks at once, each with an engine of its own,
// and gets the bytes of a training alone.
func TestSideBySide(t *testing.T) {
	alone := killJob(t, t.TempDir())
	if _, err := Run(context.Background(), alone); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	jobs := []Job{killJob(t, t.TempDir()), killJob(t, t.TempDir())}
	for i, job := range jobs {
		wg.Go(func() { _, errs[i] = Run(context.Background(), job) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
		sameFiles(t, alone.OutDir, jobs[i].OutDir, checkpoints.FileName(24), LogFile)
	}
}
