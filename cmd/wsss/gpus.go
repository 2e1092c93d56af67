package main

import (
	"context"
	"fmt"
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

// gpuList is the GPUs of -gpus, by the name under which a process sees each: n
// of this machine's, or all.
func gpuList(text string) ([]string, error) {
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

// childGrace is how long processes of -gpus have to end after an interruption.
const childGrace = time.Minute

// onGPUs runs this command once for each GPU, with the same arguments but
// -gpus: the processes share the work by their job. It gives the exit code of the
// one that ended worst.
func onGPUs(ctx context.Context, gpus, args []string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	codes := make([]int, len(gpus))
	var all sync.WaitGroup
	for i, gpu := range gpus {
		c := exec.CommandContext(ctx, exe, args...)
		c.Env = append(os.Environ(), envVisible+"="+gpu)
		c.Stdout, c.Stderr = stdout, stderr
		c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
		c.WaitDelay = childGrace
		if err := c.Start(); err != nil {
			return err
		}
		all.Go(func() {
			err := c.Wait()
			if codes[i] = c.ProcessState.ExitCode(); err != nil && codes[i] <= 0 {
				codes[i] = exitFailed
			}
		})
	}
	all.Wait()
	return childError(slices.Max(codes))
}

// childError is the error of processes that said themselves what was wrong.
func childError(code int) error {
	if code == exitOK {
		return nil
	}
	return childExit{code}
}

// childExit carries the exit code of a process that this one started.
type childExit struct{ code int }

func (e childExit) Error() string {
	return fmt.Sprintf("a process of -gpus ended with exit code %d", e.code)
}

// withoutFlag leaves a flag and its value out of a command line.
func withoutFlag(args []string, name string) []string {
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
