package main

import (
	"context"
)

// modelsCommands are the tools below `wsss models`.
var modelsCommands = []command{
	{Name: "list", Short: "the models, their files, licences, and which are here", run: runModelsList},
	{Name: "pull", Args: "MODEL...", Short: "fetch models; goes on where it was stopped", run: runModelsPull},
	{Name: "verify", Args: "[MODEL...]", Short: "hash the files that are here and compare", run: runModelsVerify},
	{Name: "inspect", Args: "FILE", Short: "what is in an ONNX file and what import makes of it; where the tensors of a weight file go", run: runModelsInspect},
	{Name: "parity", Args: "MODEL|FILE...", Short: "compare models on each backend with ONNX Runtime", run: runModelsParity},
}

func runModels(ctx context.Context, args []string) error {
	return group{"models", "subcommand", modelsCommands, stderr}.run(ctx, args)
}
