package probe

import "golang.org/x/sys/cpu"

// SIMD tells whether the go backend's vector kernels are in the binary, as built
// says, and whether the processor has them.
func SIMD(built bool) string {
	level := "no AVX2"
	switch {
	case cpu.X86.HasAVX512F:
		level = "AVX-512"
	case cpu.X86.HasAVX2:
		level = "AVX2"
	}
	if built {
		return "built in, processor has " + level
	}
	return "not built in (processor has " + level + "); fix: build with `make`, or GOEXPERIMENT=simd go build ./cmd/wsss"
}
