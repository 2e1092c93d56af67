package backend

import (
	"os"
	"strconv"

	"github.com/gomlx/compute"
)

// EnvAtOnce is how many photos encoders look at in one run, on any engine.
const EnvAtOnce = "WSSS_PHOTOS_AT_ONCE"

// Bounds of a run of several photos: what should keep a GPU busy, and keeps what
// it needs of memory near that of one large photo. Not measured on a GPU.
const (
	pixelsAtOnce = 2 << 20
	mostAtOnce   = 8
)

// AtOnce is how many photos of so many pixels, all views of one together, a
// network that is not trained takes in a run: on a GPU as many as keep it busy,
// elsewhere one, unless the environment says otherwise.
func AtOnce(b compute.Backend, pixels int) int {
	if n, err := strconv.Atoi(os.Getenv(EnvAtOnce)); err == nil && n > 0 {
		return min(n, 64)
	}
	if !OnGPU(b) {
		return 1
	}
	return min(max(pixelsAtOnce/max(pixels, 1), 1), mostAtOnce)
}
