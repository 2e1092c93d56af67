package vec

import "golang.org/x/sys/cpu"

// fast tells whether this CPU has what the kernels need: AVX2 and FMA.
var fast = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// Kernels take n values, a positive multiple of eight. A step is the distance
// in bytes from eight values to the next: 32, or 0 for a scalar eight times.

//go:noescape
func expKernel(dst, x *float32, n int)

//go:noescape
func logisticKernel(dst, x *float32, n int)

//go:noescape
func erfKernel(dst, x *float32, n int)

//go:noescape
func tanhKernel(dst, x *float32, n int)

//go:noescape
func geluKernel(dst, x *float32, n int)

//go:noescape
func sqrtKernel(dst, x *float32, n int)

//go:noescape
func rsqrtKernel(dst, x *float32, n int)

//go:noescape
func addKernel(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func subKernel(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func mulKernel(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func divKernel(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func maxKernel(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func minKernel(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func greaterKernel(dst *bool, a, b *float32, n, stepA, stepB int)

//go:noescape
func whereKernel(dst *float32, cond *bool, a, b *float32, n, stepA, stepB int)

//go:noescape
func sumKernel(x *float32, n int) float32

// squaresKernel sums (x-mean)².
//
//go:noescape
func squaresKernel(x *float32, n int, mean float32) float32

// peakKernel is the largest value.
//
//go:noescape
func peakKernel(x *float32, n int) float32

// expSumKernel writes e^(x-shift) and returns the sum.
//
//go:noescape
func expSumKernel(dst, x *float32, n int, shift float32) float32

// normKernel writes (x-mean)·scale·gamma + beta.
//
//go:noescape
func normKernel(dst, x, gamma, beta *float32, n int, mean, scale float32)

// weightedRowsKernel sums the first n values of count rows, each step bytes from
// the next in the table, by their weights.
//
//go:noescape
func weightedRowsKernel(dst, table *float32, rows *int32, weights *float32, count, n, step int)
