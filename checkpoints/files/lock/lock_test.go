package lock

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wsss/checkpoints/files"
)

const childEnv = "WSSS_TEST_LOCK"

// kept keeps the other process's lock from the garbage collector, which closes
// files that nobody refers to.
var kept *Lock

// TestMain lets this binary hold a lock as another process does.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		var err error
		if kept, err = Acquire(dir, "train"); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("held")
		select {}
	}
	os.Exit(m.Run())
}

func child(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the other process: %s", line)
	}
	return cmd
}

// TestHeldByAnotherProcess: the second says who is first, and has the folder
// as soon as that one is killed.
func TestHeldByAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	cmd := child(t, dir)
	var held *HeldError
	if _, err := Acquire(dir, "eval"); !errors.As(err, &held) || held.Holder.PID != cmd.Process.Pid || held.Holder.Command != "train" {
		t.Errorf("error %v, want a HeldError of pid %d", err, cmd.Process.Pid)
	}
	if err := Check(dir); !errors.As(err, &held) {
		t.Errorf("Check: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	l, err := Acquire(dir, "eval")
	if err != nil {
		t.Fatalf("after the holder was killed: %v", err)
	}
	l.Release()
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// acquirers are the two kinds of lock.
var acquirers = map[string]func(dir string, me Holder) (*Lock, error){"os": acquireOS, "lease": acquireLease}

// TestOneAtATime: among many that take and give back, never two have it.
func TestOneAtATime(t *testing.T) {
	for name, acquire := range acquirers {
		t.Run(name, func(t *testing.T) {
			if name == "os" && runtime.GOOS != "linux" {
				t.Skip("leases only on this system")
			}
			dir, end := t.TempDir(), time.Now().Add(200*time.Millisecond)
			oneAtATime(t, 8, func() (*Lock, error) { return acquire(dir, self("test")) }, func(int32) bool { return time.Now().Before(end) }, 0)
		})
	}
}

// oneAtATime has many take a folder, hold it and give it back, as long as more of how
// often it was had tells, and wants never two to have it.
func oneAtATime(t *testing.T, many int, acquire func() (*Lock, error), more func(had int32) bool, hold time.Duration) {
	t.Helper()
	var inside, had atomic.Int32
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			for more(had.Load()) {
				l, err := acquire()
				if errors.As(err, new(*HeldError)) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two have the folder")
				}
				time.Sleep(hold)
				had.Add(1)
				inside.Add(-1)
				l.Release()
			}
		})
	}
	all.Wait()
	if had.Load() == 0 {
		t.Error("nobody had the folder")
	}
}

// TestLease: a lease of a living process holds, one of a dead process or of a
// machine that no longer renews it does not, and who lost it is told.
func TestLease(t *testing.T) {
	defer func(a, b time.Duration) { renewEvery, expireAfter = a, b }(renewEvery, expireAfter)
	renewEvery = 20 * time.Millisecond
	dir := t.TempDir()
	path := filepath.Join(dir, leaseName)
	l, err := acquireLease(dir, self("train"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := l.Context(context.Background())
	defer cancel()
	var held *HeldError
	if _, err := acquireLease(dir, self("eval")); !errors.As(err, &held) || held.Holder.Command != "train" {
		t.Errorf("error %v, want a HeldError", err)
	}
	if err := os.WriteFile(path, []byte(`{"pid":7,"host":"elsewhere","command":"train"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Second):
	}
	if !errors.Is(context.Cause(ctx), ErrLost) {
		t.Errorf("cause %v, want ErrLost", context.Cause(ctx))
	}
	l.Release()
	if _, err := acquireLease(dir, self("eval")); !errors.As(err, &held) {
		t.Errorf("a fresh lease of another machine: %v", err)
	}
	old := time.Now().Add(-2 * expireAfter)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if l, err = acquireLease(dir, self("eval")); err != nil {
		t.Fatalf("a lease that is no longer renewed: %v", err)
	}
	l.Release()
	dead := self("train")
	if dead.PID = 1 << 30; dead.Space != "" {
		if err := files.CreateNew(path, fmt.Appendf(nil, `{"pid":%d,"space":%q}`, dead.PID, dead.Space)); err != nil {
			t.Fatal(err)
		}
		if l, err = acquireLease(dir, self("eval")); err != nil {
			t.Fatalf("a lease of a dead process: %v", err)
		}
		l.Release()
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}
