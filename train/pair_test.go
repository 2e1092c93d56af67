package train

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"wsss/checkpoints"
	"wsss/checkpoints/files/lock"
)

// pairEnv makes the test binary train in the folder it names, as TestKilled.
const pairEnv = "WSSS_TEST_TRAIN_PAIR"

// TestPairs starts two processes on one folder, again and again, and kills one
// of them at a random time. One trains and the other ends at once; neither
// death harms what is there, and a last, undisturbed call ends with the bytes
// of a training alone. WSSS_TEST_PAIRS is the number of pairs.
func TestPairs(t *testing.T) {
	if dir := os.Getenv(pairEnv); dir != "" {
		job := killJob(t, dir)
		job.Progress = func(int, int) { time.Sleep(15 * time.Millisecond) } // widen the target
		_, err := Run(context.Background(), job)
		var held *lock.HeldError
		if errors.As(err, &held) {
			os.Exit(3)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	pairs := 4
	if n, err := strconv.Atoi(os.Getenv("WSSS_TEST_PAIRS")); err == nil {
		pairs = n
	}
	whole := killJob(t, t.TempDir())
	if _, err := Run(context.Background(), whole); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 3))
	refused, killed := 0, 0
	for pair := range pairs {
		dir := t.TempDir()
		var procs [2]*exec.Cmd
		var out [2]bytes.Buffer
		for i := range procs {
			procs[i] = exec.Command(os.Args[0], "-test.run=^TestPairs$")
			procs[i].Env = append(os.Environ(), pairEnv+"="+dir)
			procs[i].Stdout, procs[i].Stderr = &out[i], &out[i]
			if err := procs[i].Start(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Duration(50+rng.Int64N(400)) * time.Millisecond)
		victim := rng.IntN(2)
		procs[victim].Process.Kill()
		for i, p := range procs {
			err := p.Wait()
			switch {
			case err == nil:
			case p.ProcessState.ExitCode() == 3:
				refused++
			case i == victim && p.ProcessState.ExitCode() == -1:
				killed++
			default:
				t.Fatalf("pair %d, process %d: %v\n%s", pair, i, err, &out[i])
			}
		}
		if _, err := Run(context.Background(), killJob(t, dir)); err != nil {
			t.Fatalf("pair %d, repeated alone: %v", pair, err)
		}
		sameFiles(t, whole.OutDir, dir, checkpoints.FileName(24), checkpoints.FileName(20), LogFile, "loss.svg", "miou.svg")
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") {
				t.Errorf("pair %d left behind %s", pair, e.Name())
			}
		}
	}
	t.Logf("%d pairs: %d processes refused, %d killed", pairs, refused, killed)
}

// TestOneTrainingPerFolder: a second training is refused at once, also one that
// is to replace the first, and leaves what is there alone.
func TestOneTrainingPerFolder(t *testing.T) {
	job := killJob(t, t.TempDir())
	second := killJob(t, job.OutDir)
	second.Config.Iterations, second.Restart = 4, true
	second.ConfigHash = "another"
	tried := false
	job.Progress = func(done, _ int) {
		if done != 6 {
			return
		}
		tried = true
		var held *lock.HeldError
		if _, err := Run(context.Background(), second); !errors.As(err, &held) || held.Holder.PID != os.Getpid() {
			t.Errorf("a second training: %v, want a HeldError of this process", err)
		}
	}
	if _, err := Run(context.Background(), job); err != nil || !tried {
		t.Fatalf("the first training: %v", err)
	}
	whole := killJob(t, t.TempDir())
	if _, err := Run(context.Background(), whole); err != nil {
		t.Fatal(err)
	}
	sameFiles(t, whole.OutDir, job.OutDir, checkpoints.FileName(24), LogFile)
}
