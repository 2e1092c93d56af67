package store

import "time"

// Distrust makes copies old at once.
func Distrust() (undo func()) {
	d := trusted
	trusted = 0
	return func() { trusted = d }
}

// Hasten makes failures short.
func Hasten(perPause, perStall time.Duration) (undo func()) {
	a, b, c := pause, longest, stall
	pause, longest, stall = perPause, perPause, perStall
	return func() { pause, longest, stall = a, b, c }
}
