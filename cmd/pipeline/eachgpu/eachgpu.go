// Package eachgpu runs a command once for each GPU of the machine, in processes of
// their own that share the work by a job.
package eachgpu

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"wsss/cmd/pipeline"
	"wsss/models/backend/nativelib"
)

// envVisible names the GPUs that a process sees.
const envVisible = "CUDA_VISIBLE_DEVICES"

// List is the GPUs of -gpus, by the name under which a process sees each: n
// of this machine's, or all.
func List(text string) ([]string, error) {
	there := nativelib.CountNVIDIA()
	n, err := strconv.Atoi(text)
	if text == "all" {
		n, err = there, nil
		if n == 0 {
			return nil, pipeline.Usagef("-gpus all: no NVIDIA GPU is seen here; `wsss doctor` tells more")
		}
	}
	if err != nil || n < 1 || n > 64 {
		return nil, pipeline.Usagef("-gpus %s: allowed are 1..64, or all", text)
	}
	if there > 0 && n > there {
		return nil, pipeline.Usagef("-gpus %d: %d are seen here", n, there)
	}
	var list []string
	if visible := os.Getenv(envVisible); visible != "" { // a scheduler's choice
		list = strings.FieldsFunc(visible, func(r rune) bool { return r == ',' || r == ' ' })
	}
	for i := len(list); i < n; i++ {
		list = append(list, strconv.Itoa(i))
	}
	return list[:n], nil
}

// grace is how long the processes have to end after an interruption.
const grace = time.Minute

// ExitError carries the exit code of a process, which said itself what was wrong.
type ExitError struct{ Code int }

func (e ExitError) Error() string {
	return fmt.Sprintf("a process of -gpus ended with exit code %d", e.Code)
}

// Run runs this program with args once for each GPU. The error is that of the
// process that ended worst: one that did not exit by itself counts as 1.
func Run(ctx context.Context, gpus, args []string, stdout, stderr io.Writer) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	codes := make([]int, len(gpus))
	var all sync.WaitGroup
	for i, gpu := range gpus {
		c := exec.CommandContext(ctx, exe, args...)
		c.Env = append(os.Environ(), envVisible+"="+gpu)
		c.Stdout, c.Stderr = stdout, stderr
		c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
		c.WaitDelay = grace
		if err := c.Start(); err != nil {
			stop() // those that run already
			all.Wait()
			return err
		}
		all.Go(func() {
			err := c.Wait()
			if codes[i] = c.ProcessState.ExitCode(); err != nil && codes[i] <= 0 {
				codes[i] = 1
			}
		})
	}
	all.Wait()
	if worst := slices.Max(codes); worst != 0 {
		return ExitError{worst}
	}
	return nil
}

// WithoutFlag leaves a flag and its value out of a command line.
func WithoutFlag(args []string, name string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		word := strings.TrimLeft(args[i], "-")
		switch {
		case word == name && strings.HasPrefix(args[i], "-"):
			i++
		case strings.HasPrefix(word, name+"=") && strings.HasPrefix(args[i], "-"):
		default:
			out = append(out, args[i])
		}
	}
	return out
}
