package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"

	"wsss/checkpoints/files/lock"
	"wsss/cmd/pipeline"
	"wsss/cmd/pipeline/eachgpu"
	"wsss/cmd/terminal"
	"wsss/data/crash"
	"wsss/models/manifest"
)

// stdout and stderr are where the commands print. Control characters of names
// and texts that come from data are shown, not obeyed.
var (
	stdout = terminal.Out
	stderr = terminal.Err
)

// addressed finds paths of object storage, which users know as addresses.
var addressed = regexp.MustCompile(`\b(s3|gs|azblob):/([^/])`)

// complain prints an error.
func complain(err error) {
	fmt.Fprintf(stderr, "wsss: %s\n", terminal.Shortened(addressed.ReplaceAllString(err.Error(), "$1://$2")))
}

// exitOf prints what went wrong, if anything did, and gives the exit code.
func exitOf(interrupted bool, err error) int {
	var child eachgpu.ExitError
	var some pipeline.ImagesError
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
		return child.Code
	case pipeline.IsUsage(err) && !passes(err):
		complain(err)
		return exitUsage
	case errors.As(err, &missing), errors.As(err, new(*manifest.AbsentError)):
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

// passes tells of an error that the same command may not meet at another time: of a
// store that cannot be reached where a config says that it is.
func passes(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
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
	path, err := p.Keep(fmt.Sprintf("%s\n%v", strings.Join(os.Args, " "), pipeline.Versions()))
	if err != nil {
		return " (" + envDebug + "=1 prints the stack)"
	}
	return " and the file " + path
}
