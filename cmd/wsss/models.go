package main

import (
	"context"
	"fmt"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/configs"
)

func init() {
	register(command{name: "models", args: "SUBCOMMAND", short: "foundation models: list, pull and verify weights; inspect an ONNX file", run: runModels})
}

// modelsCommands are the subcommands of `wsss models`; each lives in a file of
// its own and registers itself.
var modelsCommands []command

func registerModels(c command) { modelsCommands = append(modelsCommands, c) }

// modelsOrder is the order of the help.
var modelsOrder = []string{"list", "pull", "verify", "inspect", "parity"}

func findModels(name string) (command, bool) {
	for _, c := range modelsCommands {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

func runModels(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
		printModelsHelp()
		if len(args) == 0 {
			return pipeline.Usagef("models: a subcommand is missing: allowed are %s", strings.Join(modelsNames(), ", "))
		}
		return errHelp
	}
	c, ok := findModels(args[0])
	if !ok {
		return pipeline.Usagef("models: unknown subcommand %q: allowed are %s%s", args[0], strings.Join(modelsNames(), ", "), configs.DidYouMean(args[0], modelsNames()))
	}
	return c.run(ctx, args[1:])
}

func modelsNames() []string {
	var names []string
	for _, name := range modelsOrder {
		if _, ok := findModels(name); ok {
			names = append(names, name)
		}
	}
	return names
}

func printModelsHelp() {
	fmt.Fprintln(stderr, "wsss models SUBCOMMAND handles the files of foundation models.\n\nSubcommands:")
	for _, name := range modelsNames() {
		c, _ := findModels(name)
		fmt.Fprintf(stderr, "  %-26s %s\n", strings.TrimSpace(name+" "+c.args), c.short)
	}
	fmt.Fprintln(stderr, "\n`wsss models SUBCOMMAND -h` shows the flags of one.")
}
