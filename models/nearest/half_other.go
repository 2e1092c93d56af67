//go:build !amd64

package nearest

// unpack turns half precision into float32.
func unpack(dst []float32, src []uint16) { widen(dst, src) }
