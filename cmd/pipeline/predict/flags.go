package predict

import (
	"fmt"
	"strings"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
)

// parseScales reads test-time scales, "0.75,1,1.25".
func parseScales(text string) ([]float64, error) {
	var scales []float64
	for _, part := range strings.Split(text, ",") {
		var s float64
		if _, err := fmt.Sscanf(strings.TrimSpace(part), "%g", &s); err != nil || s < 0.05 || s > 10 {
			return nil, pipeline.Usagef("predict: -scales %s: allowed are numbers in [0.05, 10], such as 0.75,1,1.25", text)
		}
		scales = append(scales, s)
	}
	return scales, nil
}

// Mount turns addresses of object storage among what is read and written into
// paths, in place.
func Mount(out, checkpoint *string, photos []string) (err error) {
	if *out, err = files.Mount("-out", *out, false); err == nil {
		*checkpoint, err = files.Mount("-checkpoint", *checkpoint, false)
	}
	if err != nil {
		return pipeline.UsageError{Err: err}
	}
	for i := range photos {
		if photos[i], err = files.Mount("predict", photos[i], true); err != nil {
			return pipeline.UsageError{Err: err}
		}
	}
	return nil
}
