package train

import (
	"fmt"
	"strings"

	"wsss/configs"
)

// memoryErrors are what the backends say when a device or the host has no
// memory left.
var memoryErrors = []string{"resource_exhausted", "resource exhausted", "out of memory", "failed to allocate memory",
	"bad_alloc", "cannot allocate memory", "bfcarena", "cuda_error_out_of_memory", "allocator ran out", "cudamalloc failed",
	"cublas_status_alloc_failed", "cudnn_status_alloc_failed"}

// advise explains an error of a training step that ran out of memory; others
// pass unchanged.
func advise(err error, t configs.Train) error {
	if err == nil {
		return nil
	}
	text := strings.ToLower(err.Error())
	for _, sign := range memoryErrors {
		if !strings.Contains(text, sign) {
			continue
		}
		var ways []string
		if t.Batch > 1 {
			ways = append(ways, fmt.Sprintf("train.batch = %d with train.accumulate = %d (the same images per update)", (t.Batch+1)/2, t.Accumulate*2))
		}
		if t.Recompute == 0 {
			ways = append(ways, "train.recompute = 4 (slower, the same result)")
		}
		if t.Precision != "bf16" {
			ways = append(ways, `train.precision = "bf16" (on a GPU)`)
		}
		ways = append(ways, fmt.Sprintf("train.crop = %d or train.width = %g smaller", t.Crop, t.Width))
		advice := strings.Join(ways, ", then ")
		return fmt.Errorf("not enough memory for a training step of %d images of %d×%d pixels: try %s: %w", t.Batch, t.Crop, t.Crop, advice, err)
	}
	return err
}
