package main

import (
	"context"
	"fmt"

	"wsss/cmd/pipeline"
)

func init() {
	register(command{name: "import", args: "FILE|DIR", short: "labels that were changed in a labelling tool", run: runImport})
}

const importIntro = `
wsss import takes up labels that wsss export -format wrote and that somebody
changed in CVAT, labelme, Label Studio or a tool that speaks COCO: the file or
folder that the tool exported. Only what was changed counts, pixel by pixel, as
corrections of wsss review; boxes without an outline become prompts. Changes
along outlines that are thinner than 3 pixels are taken for rounding.

  wsss export -config my.toml -format labelstudio -n 50 -out for-studio
  wsss import -config my.toml project-3.json`

func runImport(ctx context.Context, args []string) error {
	f := newFlags("import", importIntro).withConfig()
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
	trip, err := p.Trip()
	if err != nil {
		return err
	}
	in, err := trip.Import(ctx, f.Arg(0), *format)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d images changed, %d not", len(in.Changed), in.Same)
	if in.Missing > 0 {
		fmt.Fprintf(stdout, ", %d not there", in.Missing)
	}
	fmt.Fprintf(stdout, "; %d pixels corrected", in.NewPixels)
	if in.Boxes > 0 {
		fmt.Fprintf(stdout, ", %d boxes are prompts from now on", in.Boxes)
	}
	if in.Rounded > 0 {
		fmt.Fprintf(stdout, "; %d pixels along outlines taken for rounding", in.Rounded)
	}
	fmt.Fprintln(stdout)
	for _, id := range in.Changed {
		p.Say("  %s", id)
	}
	return nil
}
