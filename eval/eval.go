// Package eval scores label maps: pseudo-labels, trained networks, zero-shot
// methods and other tools' folders alike, with one confusion matrix over the
// whole set (docs/sources.md §10).
package eval

import "runtime"

// Refiners is how many images may be in the second part of a models.Refiner at a
// time: a dense CRF has some hundred MB in use and takes several CPUs itself.
func Refiners() int { return min(max(runtime.GOMAXPROCS(0)/4, 1), 4) }
