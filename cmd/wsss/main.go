// Command wsss turns images with cheap labels into a segmentation network:
// gen makes pseudo-label masks, train fits DeepLab on them, eval scores both,
// report shows everything in one page; run does it all from one config.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"wsss/checkpoints/store" // s3://, gs://, azblob://
	"wsss/configs"
	"wsss/data/crash"
)

// Exit codes, as documented in the help.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitMissing     = 3 // data, weights or a library
	exitHeld        = 4 // another process is at it
	exitSome        = 5 // a job is done, and some of its images failed
	exitInterrupted = 130
)

// command is one subcommand; each lives in a file of its own.
type command struct {
	name, args, short string
	run               func(ctx context.Context, args []string) error
}

var commands []command

// register adds a subcommand; called from init of its file.
func register(c command) { commands = append(commands, c) }

// order is the order of the help: the pipeline first, then tools.
var order = []string{"init", "run", "gen", "train", "eval", "predict", "export", "import", "review", "report", "ablate", "table", "train-classifier", "train-irn", "finetune-clip", "data", "models", "licenses", "doctor", "version"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		stop() // a second Ctrl-C ends the program at once
		endBlocked()
	})
	code := dispatch(ctx, os.Args[1:])
	stop()
	store.Clean()
	os.Exit(code)
}

func dispatch(ctx context.Context, args []string) int {
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" || args[0] == "help" {
		printHelp()
		if len(args) == 0 {
			return exitUsage
		}
		return exitOf(false, nil)
	}
	cmd, ok := find(args[0])
	if !ok {
		fmt.Fprintf(stderr, "wsss: unknown command %q: allowed are %s%s\n", args[0], strings.Join(order, ", "), configs.DidYouMean(strings.TrimLeft(args[0], "-"), order))
		return exitUsage
	}
	err := crash.Do(func() error { return cmd.run(ctx, args[1:]) })
	return exitOf(ctx.Err() != nil, err)
}

func find(name string) (command, bool) {
	for _, c := range commands {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

var errHelp = errors.New("help was asked for")

func printHelp() {
	fmt.Fprintln(stdout, `wsss: a segmentation network from images and cheap labels.

    images + weak labels ──gen──▶ pseudo-label masks ──train──▶ network ──eval──▶ report

Commands:`)
	for _, name := range order {
		if c, ok := find(name); ok {
			fmt.Fprintf(stdout, "  %-16s %s\n", c.name, c.short)
		}
	}
	fmt.Fprintln(stdout, `
Start here:
  wsss run -config configs/demo.toml     the whole pipeline, about 4 minutes on 2 cores
  wsss init photos                       a config for your own photos
  wsss doctor                            which backends work on this machine
  wsss COMMAND -h                        flags and examples of one command

Exit codes: 0 done, 1 failed, 2 wrong flag or config, 3 something is missing
(data, weights, a library), 4 another process writes there, 5 a job (-job) is
done but for images that failed, 130 interrupted.`)
}
