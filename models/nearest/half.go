package nearest

import "github.com/gomlx/compute/dtypes/float16"

// widen is unpack for any CPU.
func widen(dst []float32, src []uint16) {
	for i, v := range src {
		dst[i] = float16.FromBits(v).Float32()
	}
}
