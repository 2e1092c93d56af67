package main

import (
	"context"

	"wsss/cmd/pipeline"
)

func runImport(ctx context.Context, args []string) error {
	f := newFlags("import").withConfig()
	format := f.String("format", "", "`format` of the file; default is that of the export")
	if err := f.parse(args, 1); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return pipeline.Usagef("import: name the file or folder that came back from the tool")
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	return p.Import(ctx, f.Arg(0), *format)
}
