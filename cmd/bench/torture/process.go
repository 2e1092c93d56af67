package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"wsss/cmd/bench/internal/spent"
)

// output is what a command prints to stdout; its stderr is in the error.
func output(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, lastLines(stderr.String(), 10))
	}
	return string(out), nil
}

// combined is what a command prints, run in dir with env beside the environment.
func combined(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// ended is how a process of wsss ended.
type ended struct {
	code   int // -1: by a signal
	text   string
	took   time.Duration
	cpu    time.Duration // of it and of those that it waited for
	memory int64         // bytes at the peak
}

// process is wsss at work.
type process struct {
	cmd   *exec.Cmd
	out   bytes.Buffer
	start time.Time
	done  chan struct{}
	err   error
}

// startProcess starts a command in dir. Nothing of it outlives ctx.
func startProcess(ctx context.Context, dir string, env []string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, args[0], args[1:]...), done: make(chan struct{}), start: time.Now()}
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) wait() ended {
	<-p.done
	state := p.cmd.ProcessState
	cpu, peak := spent.By(state)
	return ended{state.ExitCode(), p.out.String(), time.Since(p.start), cpu, peak}
}

// waitFor waits so long at most, and tells whether the process has ended.
func (p *process) waitFor(d time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(d):
		return false
	}
}

// run runs wsss to its end.
func (o options) run(ctx context.Context, dir string, args ...string) (ended, error) {
	p, err := startProcess(ctx, dir, nil, append([]string{o.wsss}, args...)...)
	if err != nil {
		return ended{}, err
	}
	e := p.wait()
	return e, ctx.Err()
}

// limited runs wsss from a shell that first does as asked: sets limits or
// redirects.
func (o options) limited(ctx context.Context, dir, first string, env []string, args ...string) (ended, error) {
	p, err := startProcess(ctx, dir, env, append([]string{"sh", "-c", first, o.wsss}, args...)...)
	if err != nil {
		return ended{}, err
	}
	return p.wait(), ctx.Err()
}

// crashed tells a Go trace, which no input may cause.
func (e ended) crashed() error {
	for _, mark := range []string{"goroutine ", "panic: ", "fatal error: ", "internal error", "SIGSEGV"} {
		if strings.Contains(e.text, mark) {
			return fmt.Errorf("a crash: %s", firstLines(e.text, 6))
		}
	}
	if e.code < 0 {
		return errors.New("ended by a signal")
	}
	return nil
}

func firstLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[:min(n, len(lines))], "\n")
}

// lastLines are the last n lines of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
