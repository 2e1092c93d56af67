package sgemm

import "golang.org/x/sys/cpu"

// Available tells whether this CPU has what the kernel needs: AVX2 and FMA.
func Available() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

// kernel computes a tile of 6×16 values: c = a·b, or c += a·b if add. a has six
// rows of k values, b k rows of sixteen; lda, ldb and ldc are the distances
// between rows in bytes.
//
//go:noescape
func kernel(k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int, add bool)

// packRows copies k rows of sixteen values, which are ldb bytes apart.
//
//go:noescape
func packRows(k int, dst, b *float32, ldb int)
