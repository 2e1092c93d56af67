package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/eval/review"
	"wsss/train/export"
)

func init() {
	register(command{name: "export", short: "a trained network as ONNX or safetensors; doubtful labels for labelling tools", run: runExportNet})
}

const exportNetIntro = `
wsss export writes a trained network for other programs, by the ending of -out:

  .onnx          a graph for images of any size and number. Input image: float32
                 [batch, 3, height, width], RGB in 0..255; outputs logits [batch,
                 classes, height, width] and labels [batch, height, width]
  .safetensors   the weights, with PyTorch's names and layout

  wsss export -checkpoint runs/demo/train/pseudo -out net.onnx

A checkpoint is a file, or a folder of checkpoints, whose last one is taken.
With -format the labels of a run that are most worth a look go to a labelling
tool, photos beside them; wsss import takes up what was changed there:

  wsss export -config my.toml -format cvat -n 50 -out for-cvat
  wsss import -config my.toml for-cvat/cvat.xml

Formats: cvat, labelme, labelstudio, coco. Other label maps go to other tools by
wsss data export.`

func runExportNet(ctx context.Context, args []string) error {
	f := newFlags("export", exportNetIntro).withConfig()
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
	var err error
	if *checkpoint, err = files.Mount("-checkpoint", *checkpoint, false); err == nil {
		*out, err = files.Mount("-out", *out, false)
	}
	if err != nil {
		return pipeline.UsageError{Err: err}
	}
	// Of the path: an address may end in options.
	write := map[string]func(checkpoint, out string, warn func(string)) error{".onnx": export.ONNX, ".safetensors": export.Safetensors}[strings.ToLower(filepath.Ext(*out))]
	if write == nil {
		return pipeline.Usagef("export: -out %s: allowed endings are .onnx, .safetensors", *out)
	}
	if err := namedExist([]string{*checkpoint}, ""); err != nil {
		return err
	}
	if sameFile(*checkpoint, *out) {
		return pipeline.Usagef("export: -out %s would replace the checkpoint: choose another name", *out)
	}
	if c, err := checkpoints.Open(*out); err == nil {
		c.Close()
		return pipeline.Usagef("export: -out %s would replace a checkpoint: choose another name", *out)
	}
	if err := write(*checkpoint, *out, func(line string) { fmt.Fprintln(stderr, line) }); err != nil {
		return err
	}
	fmt.Fprintln(stdout, *out)
	return nil
}

// sameFile tells whether two paths name one file, which may be in object storage.
func sameFile(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	first, err := os.Stat(a)
	second, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(first, second)
}

// exportDoubtful writes labels for a labelling tool.
func exportDoubtful(ctx context.Context, f *flags, format, out string, n int) error {
	switch {
	case out == "":
		return pipeline.Usagef("export: -format goes with -out DIR")
	case !slices.Contains(review.TripFormats, format):
		return pipeline.Usagef("export: -format %s: allowed are %s", format, strings.Join(review.TripFormats, ", "))
	case n < 0:
		return pipeline.Usagef("export: -n %d: allowed are 0 (all) or more", n)
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	trip, err := p.Trip()
	if err != nil {
		return err
	}
	ids, err := p.MostDoubtful(ctx, n)
	if err != nil {
		return err
	}
	if err := trip.Export(ctx, out, format, ids); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d images with their labels: %s, photos in %s\n", len(ids), out, filepath.Join(out, "images"))
	return nil
}
