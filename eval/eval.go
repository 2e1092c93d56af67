// Package eval scores label maps: pseudo-labels, trained networks, zero-shot
// methods and other tools' folders alike, with one confusion matrix over the
// whole set (docs/sources.md §10).
package eval

import (
	"runtime"

	"wsss/models/backend"
)

// Refiners is how many images may be in the second part of a models.Refiner at a
// time: as many as CPUs, since a dense CRF has parts that one CPU does, as far as a
// quarter of the memory holds what each has in use.
func Refiners() int {
	n := runtime.GOMAXPROCS(0)
	if memory := backend.HostMemory(); memory > 0 {
		n = min(n, int(memory/4/refining))
	}
	return max(n, 1)
}

// refining is what a dense CRF of a photo has in use, bytes.
const refining = 400 << 20
