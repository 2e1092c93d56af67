package store

import "time"

// Hasten makes failures short.
func Hasten(perPause, perStall time.Duration) (undo func()) {
	a, b, c := pause, longest, stall
	pause, longest, stall = perPause, perPause, perStall
	return func() { pause, longest, stall = a, b, c }
}
