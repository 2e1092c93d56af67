package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/configs"
)

// group is a command that has commands below it.
type group struct {
	name string
	noun string // what one of them is called in errors
	list []command
	out  io.Writer // of the help
}

// helpWords ask for the help.
var helpWords = []string{"-h", "-help", "--help", "help"}

// run calls the command that the first word names.
func (g group) run(ctx context.Context, args []string) error {
	names := names(g.list)
	allowed := strings.Join(names, ", ")
	if len(args) == 0 {
		fmt.Fprintln(g.out, helpOf(g.name, g.list))
		return pipeline.Usagef("%s: a %s is missing: allowed are %s", g.name, g.noun, allowed)
	}
	if slices.Contains(helpWords, args[0]) {
		fmt.Fprintln(g.out, helpOf(g.name, g.list))
		return errHelp
	}
	i := slices.Index(names, args[0])
	if i < 0 {
		return pipeline.Usagef("%s: unknown %s %q: allowed are %s%s", g.name, g.noun, args[0], allowed, configs.DidYouMean(args[0], names))
	}
	return g.list[i].run(ctx, args[1:])
}
