package load

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"

	"wsss/models/backend"
)

// mostError is the largest relative error that WriteParity takes.
const mostError = 1e-3

// WriteParity compares ONNX files on engines with ONNX Runtime (Compare) and prints a
// table. A difference of more than one in a thousand is an error.
func WriteParity(ctx context.Context, w io.Writer, engines, paths []string, dims map[string][]int) error {
	fmt.Fprintln(w, "| model | backend | output | relative error | mask IoU | ms | ONNX Runtime, ms |\n|---|---|---|---|---|---|---|")
	worst := 0.0
	for _, spec := range engines {
		b, err := backend.Open(spec)
		if err != nil {
			return err
		}
		for _, path := range paths {
			run, err := Compare(ctx, b, path, 1, dims)
			if err != nil {
				return err
			}
			note := ""
			if run.Whole {
				note = " (whole)"
			}
			for _, o := range run.Outputs {
				iou := ""
				if !math.IsNaN(o.IoU) {
					iou = fmt.Sprintf("%.5f", o.IoU)
				}
				fmt.Fprintf(w, "| %s | %s%s | %s | %.1e | %s | %.1f | %.1f |\n", filepath.Base(path), spec, note, o.Output, o.Error, iou,
					run.Ours.Seconds()*1e3, run.ORT.Seconds()*1e3)
				if !(o.Error <= worst) {
					worst = o.Error
				}
			}
		}
	}
	if !(worst <= mostError) {
		return fmt.Errorf("the largest relative error is %.1e: at most 1e-3 was expected", worst)
	}
	return nil
}
