package main

import (
	"context"
	"fmt"

	"wsss/cmd/pipeline"
	"wsss/eval/review"
	"wsss/train/export"
)

func runExportNet(ctx context.Context, args []string) error {
	f := newFlags("export").withConfig()
	format := f.String("format", "", "instead of a network: labels for a tool, `cvat`, labelme, labelstudio or coco")
	n := f.Int("n", 50, "with -format: so many `images`, by expected gain; 0 = all")
	checkpoint := f.String("checkpoint", "", "trained network: a `file`, or a folder of checkpoints")
	out := f.String("out", "", "`file` to write, ending in .onnx or .safetensors")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *format != "" {
		return exportDoubtful(ctx, f, *format, *out, *n)
	}
	if *checkpoint == "" || *out == "" {
		return pipeline.Usagef("export: -checkpoint and -out are needed; see `wsss export -h`")
	}
	write, err := export.Writer(checkpoint, out)
	if err != nil {
		return pipeline.UsageError{Err: fmt.Errorf("export: %w", err)}
	}
	if err := write(*checkpoint, *out, func(line string) { fmt.Fprintln(stderr, line) }); err != nil {
		return err
	}
	fmt.Fprintln(stdout, *out)
	return nil
}

// exportDoubtful writes labels for a labelling tool.
func exportDoubtful(ctx context.Context, f *flags, format, out string, n int) error {
	if out == "" {
		return pipeline.Usagef("export: -format goes with -out DIR")
	}
	if err := f.oneOf("format", review.TripFormats...); err != nil {
		return err
	}
	if n < 0 {
		return pipeline.Usagef("export: -n %d: allowed are 0 (all) or more", n)
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	return p.ExportDoubtful(ctx, out, format, n)
}
