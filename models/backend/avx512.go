//go:build amd64 && goexperiment.simd

package backend

import "golang.org/x/sys/cpu"

// hasAVX512 tells whether GoMLX's own kernel uses AVX-512.
func hasAVX512() bool {
	return cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ
}
