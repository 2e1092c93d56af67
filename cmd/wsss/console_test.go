package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"wsss/cmd/pipeline"
	"wsss/data"
)

// faultyCommand fails as a fault of the program would, in a worker.
func faultyCommand(ctx context.Context, _ []string) error {
	return data.Parallel(ctx, 8, nil, func(i int) error {
		var none []int
		if i == 3 {
			none[i] = 1
		}
		return nil
	})
}

// blockedCommand waits in its workers for what never comes.
func blockedCommand(ctx context.Context, _ []string) error {
	return data.Parallel(ctx, 8, nil, func(i int) error {
		os.Stdout.WriteString("waiting\n")
		select {}
	})
}

// TestControlCharacters: names from data reach the terminal only as text.
func TestControlCharacters(t *testing.T) {
	cmd := wsssCommand(t, "eval", "-labels", "no\x1b]0;owned\x07such\u202e", "-set", "out="+t.TempDir())
	text, _ := cmd.CombinedOutput()
	if bytes.ContainsAny(text, "\x1b\x07") || bytes.ContainsRune(text, '\u202e') || !bytes.Contains(text, []byte(`no\u001b]0;owned\u0007such\u202e`)) {
		t.Errorf("printed %q", text)
	}
}

// TestFullOutput: a result that could not be printed is a failure.
func TestFullOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer full.Close()
	dir := t.TempDir()
	scenes := filepath.Join(dir, "scenes")
	for _, args := range [][]string{
		{"version"},
		{"help"},
		{"data", "-h"},
		{"data", "scenes", "-out", scenes, "-train", "2", "-val", "1"},
		{"data", "validate", "-kind", "scenes", "-root", scenes},
		{"models", "list"},
	} {
		cmd := wsssCommand(t, args...)
		var text bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &text
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(text.String(), "no space left") {
			t.Errorf("%v: exit code %d\n%s", args, code, &text)
		}
	}
}

// TestFault: a panic in a worker is one line that says what to report, and its
// stack is in a file.
func TestFault(t *testing.T) {
	cmd := wsssCommand(t, "test-fault")
	cmd.Env = append(cmd.Env, "TMPDIR="+t.TempDir())
	text, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || bytes.Count(text, []byte("\n")) != 1 || !bytes.Contains(text, []byte("index out of range [3]")) {
		t.Fatalf("exit code %d, printed\n%s", code, text)
	}
	file := regexp.MustCompile(`file (\S+)`).FindSubmatch(text)
	if file == nil {
		t.Fatalf("no file is named: %s", text)
	}
	raw, err := os.ReadFile(string(file[1]))
	if err != nil || !strings.Contains(string(raw), "faultyCommand") {
		t.Errorf("%v, the file holds\n%s", err, raw)
	}
}

// TestInterruptBlocked: the first Ctrl-C ends a command whose workers wait for
// what never comes.
func TestInterruptBlocked(t *testing.T) {
	cmd := wsssCommand(t, "test-blocked")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	cmd.Process.Signal(syscall.SIGINT)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		cmd.Process.Kill()
		t.Fatal("the first Ctrl-C does not end it")
	}
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d after %v", code, time.Since(start))
	}
}

// TestPrintThroughConsole: commands print through stdout and stderr of
// console.go, which escape control characters and notice what fails.
func TestPrintThroughConsole(t *testing.T) {
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	direct := regexp.MustCompile(`\bos\.Std(out|err)\b|\bfmt\.Print(f|ln)?\(`)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(raw), "\n") {
			if direct.MatchString(line) {
				t.Errorf("%s:%d prints past the console: %s", path, n+1, strings.TrimSpace(line))
			}
		}
	}
}

// soon is an error of what may work at another time.
type soon struct{ error }

func (soon) Temporary() bool { return true }

// TestExitOfPassing: a store that cannot be reached is no wrong config, after which a
// scheduler would not try again.
func TestExitOfPassing(t *testing.T) {
	err := errors.New("503")
	if code := exitOf(false, pipeline.UsageError{Err: fmt.Errorf("out: %w", soon{err})}); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	if code := exitOf(false, pipeline.UsageError{Err: err}); code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
}
