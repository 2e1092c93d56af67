//go:build unix

package gen

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"
)

// killEnv makes the test binary work on the folder that it names, instead of
// running tests.
const killEnv = "WSSS_TEST_KILL"

const killImages = 60

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		o, method := fakeRun(dir, killImages)
		method.delay = time.Millisecond
		if os.Getenv(jobEnv) != "" {
			o.Job = &Job{Name: "test", Expire: 200 * time.Millisecond, Chunk: 8}
		}
		if _, err := Run(context.Background(), o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Processes are killed at random points, one or two at a time on one folder;
// the last is left to finish.
func TestRunSurvivesKill(t *testing.T) {
	want := undisturbed(t, killImages)
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 2 {
		dir := t.TempDir()
		killed := 0
		for range 12 {
			var children []*exec.Cmd
			for range 1 + round {
				children = append(children, startChild(t, dir))
			}
			time.Sleep(time.Duration(5+rng.IntN(40)) * time.Millisecond)
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
		if err := startChild(t, dir).Wait(); err != nil {
			t.Fatal(err)
		}
		same(t, contents(t, dir), want)
	}
}

func startChild(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), killEnv+"="+dir)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}
