package backend

import (
	"fmt"
	"os"
	"strconv"

	"github.com/gomlx/compute"
)

// EnvAtOnce is how many photos encoders look at in one run, on any engine.
const EnvAtOnce = "WSSS_PHOTOS_AT_ONCE"

// largestAtOnce is the most that EnvAtOnce may ask for.
const largestAtOnce = 64

// AskedAtOnce is the number that EnvAtOnce asks for; 0 = it is not set.
func AskedAtOnce() (int, error) {
	text := os.Getenv(EnvAtOnce)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > largestAtOnce {
		return 0, fmt.Errorf("%s = %.40q: allowed are 1..%d", EnvAtOnce, text, largestAtOnce)
	}
	return n, nil
}

// Bounds of a run of several photos: what should keep a GPU busy, and keeps what
// it needs of memory near that of one large photo. Not measured on a GPU.
const (
	pixelsAtOnce = 2 << 20
	mostAtOnce   = 8
)

// AtOnce is how many photos of so many pixels, all views of one together, a
// network that is not trained takes in a run: on a GPU as many as keep it busy,
// elsewhere one, unless the environment says otherwise. A run is always of that
// many, whoever asks (package together): more than ask at a time are waste.
func AtOnce(b compute.Backend, pixels int) int {
	if n, err := AskedAtOnce(); err == nil && n > 0 { // Open refuses others
		return n
	}
	if !OnGPU(b) {
		return 1
	}
	return min(max(pixelsAtOnce/max(pixels, 1), 1), mostAtOnce)
}
