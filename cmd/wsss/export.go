package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/train/export"
)

func init() {
	register(command{name: "export", short: "a trained network as ONNX or safetensors", run: runExportNet})
}

const exportNetIntro = `
wsss export writes a trained network for other programs, by the ending of -out:

  .onnx          a graph for images of any size and number. Input image: float32
                 [batch, 3, height, width], RGB in 0..255; outputs logits [batch,
                 classes, height, width] and labels [batch, height, width]
  .safetensors   the weights, with PyTorch's names and layout

  wsss export -checkpoint runs/demo/train/pseudo -out net.onnx

A checkpoint is a file, or a folder of checkpoints, whose last one is taken.
Label maps go to other tools by wsss data export.`

func runExportNet(_ context.Context, args []string) error {
	f := newFlags("export", exportNetIntro)
	checkpoint := f.String("checkpoint", "", "trained network: a `file`, or a folder of checkpoints")
	out := f.String("out", "", "`file` to write, ending in .onnx or .safetensors")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *checkpoint == "" || *out == "" {
		return pipeline.Usagef("export: -checkpoint and -out are needed; see `wsss export -h`")
	}
	write := map[string]func(checkpoint, out string, warn func(string)) error{".onnx": export.ONNX, ".safetensors": export.Safetensors}[strings.ToLower(filepath.Ext(*out))]
	if write == nil {
		return pipeline.Usagef("export: -out %s: allowed endings are .onnx, .safetensors", *out)
	}
	if err := namedExist([]string{*checkpoint}, ""); err != nil {
		return err
	}
	if from, err := os.Stat(*checkpoint); err == nil {
		if to, err := os.Stat(*out); err == nil && os.SameFile(from, to) {
			return pipeline.Usagef("export: -out %s would replace the checkpoint: choose another name", *out)
		}
	}
	if err := write(*checkpoint, *out, func(line string) { fmt.Fprintln(stderr, line) }); err != nil {
		return err
	}
	fmt.Fprintln(stdout, *out)
	return nil
}
