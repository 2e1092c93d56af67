package nearest

import "golang.org/x/sys/cpu"

// roughly tells whether this CPU multiplies bytes, four times as many at a time
// as numbers of single precision.
var roughly = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512VNNI

// quantise rounds n values in half precision, a multiple of 16, times inverse.
//
//go:noescape
func quantise(dst *int8, src *uint16, inverse float32, n int)

// dots multiplies 8 rows with 16 queries; see rough_amd64.s.
//
//go:noescape
func dots(out *int32, rows *int8, stride int, panel *uint8, steps int)
