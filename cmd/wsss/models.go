package main

import (
	"context"
	"fmt"
	"strings"
)

func init() {
	register(command{name: "models", args: "SUBCOMMAND", short: "foundation models: list, pull and verify weights; inspect an ONNX file", run: runModels})
}

// modelsCommands are the tools below `wsss models`.
var modelsCommands = []command{
	{name: "list", short: "the models, their files, licences, and which are here", run: runModelsList},
	{name: "pull", args: "MODEL...", short: "fetch models; goes on where it was stopped", run: runModelsPull},
	{name: "verify", args: "[MODEL...]", short: "hash the files that are here and compare", run: runModelsVerify},
	{name: "inspect", args: "FILE", short: "what is in an ONNX file and what import makes of it; where the tensors of a weight file go", run: runModelsInspect},
	{name: "parity", args: "MODEL|FILE...", short: "compare models on each backend with ONNX Runtime", run: runModelsParity},
}

func runModels(ctx context.Context, args []string) error {
	return group{"models", "subcommand", modelsCommands, func() {
		fmt.Fprintln(stderr, "wsss models SUBCOMMAND handles the files of foundation models.\n\nSubcommands:")
		for _, c := range modelsCommands {
			fmt.Fprintf(stderr, "  %-26s %s\n", strings.TrimSpace(c.name+" "+c.args), c.short)
		}
		fmt.Fprintln(stderr, "\n`wsss models SUBCOMMAND -h` shows the flags of one.")
	}}.run(ctx, args)
}
