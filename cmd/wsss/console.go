package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"wsss/checkpoints/files/lock"
	"wsss/cmd/pipeline"
	"wsss/cmd/terminal"
	"wsss/data/crash"
)

// stdout and stderr are where the commands print. Control characters of names
// and texts that come from data are shown, not obeyed.
var (
	stdout = terminal.Out
	stderr = terminal.Err
)

// maxLine bounds a line of an error message: a cell of a table can be megabytes
// long.
const maxLine = 2000

// addressed finds paths of object storage, which users know as addresses.
var addressed = regexp.MustCompile(`\b(s3|gs|azblob):/([^/])`)

// complain prints an error.
func complain(err error) {
	lines := strings.Split(addressed.ReplaceAllString(err.Error(), "$1://$2"), "\n")
	for i, line := range lines {
		if len(line) > maxLine {
			head, tail := line[:maxLine/2], line[len(line)-maxLine/2:]
			lines[i] = fmt.Sprintf("%s… (%d bytes) …%s", strings.ToValidUTF8(head, ""), len(line)-maxLine, strings.ToValidUTF8(tail, ""))
		}
	}
	fmt.Fprintf(stderr, "wsss: %s\n", strings.Join(lines, "\n"))
}

// exitOf prints what went wrong, if anything did, and gives the exit code.
func exitOf(interrupted bool, err error) int {
	var usage pipeline.UsageError
	var child childExit
	var some someFailed
	var held *lock.HeldError
	var missing pipeline.MissingError
	var fault *crash.Panic
	switch {
	case err == nil, errors.Is(err, errHelp):
		if err := stdout.Failed(); err != nil && !errors.Is(err, syscall.EPIPE) {
			complain(fmt.Errorf("standard output: %w", err))
			return exitFailed
		}
		return exitOK
	case interrupted:
		sayInterrupted()
		return exitInterrupted
	case errors.As(err, &child):
		return child.code
	case errors.As(err, &usage):
		complain(err)
		return exitUsage
	case errors.As(err, &missing):
		complain(err)
		return exitMissing
	case errors.As(err, &held):
		complain(err)
		return exitHeld
	case errors.As(err, &some):
		complain(err)
		return exitSome
	case errors.As(err, &fault):
		complain(fmt.Errorf("%w; what is finished is kept. This is a fault of wsss: please report this line%s", err, keepStack(fault)))
		return exitFailed
	}
	complain(err)
	return exitFailed
}

func sayInterrupted() {
	fmt.Fprintln(stderr, "wsss: interrupted; what is finished is kept, the same command goes on from there")
}

// envDebug makes a fault of the program print its stack.
const envDebug = "WSSS_DEBUG"

// keepStack puts the stack of a fault into a file, and says where.
func keepStack(p *crash.Panic) string {
	if os.Getenv(envDebug) != "" {
		defer fmt.Fprintf(stderr, "%s\n", p.Stack)
	}
	f, err := os.CreateTemp("", "wsss-fault-*.txt")
	if err != nil {
		return " (" + envDebug + "=1 prints the stack)"
	}
	defer f.Close()
	v := pipeline.Versions()
	_, err = fmt.Fprintf(f, "%s\n%v\n%v\n\n%s", strings.Join(os.Args, " "), v, p.Value, p.Stack)
	if err != nil {
		return ""
	}
	path, _ := filepath.Abs(f.Name())
	return " and the file " + path
}
