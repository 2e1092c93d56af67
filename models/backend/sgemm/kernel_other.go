//go:build !amd64

package sgemm

// Available tells whether this CPU has what the kernel needs.
func Available() bool { return false }

func kernel(int, *float32, int, *float32, int, *float32, int, bool) {
	panic("sgemm: no kernel for this CPU")
}

func packRows(int, *float32, *float32, int) { panic("sgemm: no kernel for this CPU") }
