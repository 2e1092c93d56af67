// Package vec is arithmetic on slices of float32, eight values at a time on
// amd64 CPUs with AVX2 and FMA and one by one elsewhere: the go backend's
// operations between its matrix products (models/backend registers them).
//
// A value's result does not depend on where in its slice it stands, so the
// caller may cut slices as it likes and get the same bits. Exp, Erf, Tanh and
// Logistic are within three units in the last place of the exact result;
// Logistic is 0 where that is subnormal. NaN and infinities go through as in
// package math. dst may be the same slice as an operand.
package vec

import "math"

// onlyPlain is for tests of what CPUs without kernels do.
var onlyPlain bool

func quick() bool { return fast && !onlyPlain }

// function is one of one operand.
type function int

const (
	exp function = iota
	erf
	tanh
	logistic
	gelu
	sqrt
	rsqrt
)

// Exp sets dst to e^x.
func Exp(dst, x []float32) { exp.apply(dst, x) }

// Erf sets dst to the error function of x.
func Erf(dst, x []float32) { erf.apply(dst, x) }

// Tanh sets dst to the hyperbolic tangent of x.
func Tanh(dst, x []float32) { tanh.apply(dst, x) }

// Logistic sets dst to 1/(1+e^-x).
func Logistic(dst, x []float32) { logistic.apply(dst, x) }

// Gelu sets dst to x/2·(1+erf(x/√2)).
func Gelu(dst, x []float32) { gelu.apply(dst, x) }

// Sqrt sets dst to the square root of x.
func Sqrt(dst, x []float32) { sqrt.apply(dst, x) }

// Rsqrt sets dst to 1/√x.
func Rsqrt(dst, x []float32) { rsqrt.apply(dst, x) }

// apply runs the kernel, on a last piece that is filled up too.
func (f function) apply(dst, x []float32) {
	if !quick() {
		for i, v := range x {
			dst[i] = float32(f.plain(float64(v)))
		}
		return
	}
	n := len(x) &^ 7
	if n > 0 {
		f.kernel(&dst[0], &x[0], n)
	}
	if n < len(x) {
		var t [8]float32
		copy(t[:], x[n:])
		f.kernel(&t[0], &t[0], 8)
		copy(dst[n:len(x)], t[:])
	}
}

// kernel and its like are switches, not function values: those would move
// their arguments to the heap.
func (f function) kernel(dst, x *float32, n int) {
	switch f {
	case exp:
		expKernel(dst, x, n)
	case erf:
		erfKernel(dst, x, n)
	case tanh:
		tanhKernel(dst, x, n)
	case logistic:
		logisticKernel(dst, x, n)
	case gelu:
		geluKernel(dst, x, n)
	case sqrt:
		sqrtKernel(dst, x, n)
	case rsqrt:
		rsqrtKernel(dst, x, n)
	}
}

// plain is what the kernel approximates.
func (f function) plain(x float64) float64 {
	switch f {
	case exp:
		return math.Exp(x)
	case erf:
		return math.Erf(x)
	case tanh:
		return math.Tanh(x)
	case logistic:
		return 1 / (1 + math.Exp(-x))
	case gelu:
		return x / 2 * (1 + math.Erf(x*math.Sqrt2/2))
	case sqrt:
		return math.Sqrt(x)
	default:
		return 1 / math.Sqrt(x)
	}
}

// operation is one of two operands.
type operation int

const (
	add operation = iota
	sub
	mul
	div
	larger
	smaller
)

// Add sets dst to a+b. Here and below a and b have as many values as dst, or
// one, which then counts for all.
func Add(dst, a, b []float32) { add.apply(dst, a, b) }

// Sub sets dst to a-b.
func Sub(dst, a, b []float32) { sub.apply(dst, a, b) }

// Mul sets dst to a·b.
func Mul(dst, a, b []float32) { mul.apply(dst, a, b) }

// Div sets dst to a/b.
func Div(dst, a, b []float32) { div.apply(dst, a, b) }

// Max sets dst to the larger of a and b, NaN if either is; of two zeros it may
// be either.
func Max(dst, a, b []float32) { larger.apply(dst, a, b) }

// Min sets dst to the smaller of a and b, NaN if either is; of two zeros it may
// be either.
func Min(dst, a, b []float32) { smaller.apply(dst, a, b) }

// apply runs the kernel, on a last piece that is filled up too.
func (f operation) apply(dst, a, b []float32) {
	if !quick() {
		stepA, stepB := step(a), step(b)
		for i := range dst {
			dst[i] = f.plain(a[i*stepA], b[i*stepB])
		}
		return
	}
	n := len(dst) &^ 7
	var tailA, tailB [8]float32
	stepA, stepB := fill(&tailA, a, n), fill(&tailB, b, n)
	if n > 0 {
		f.kernel(&dst[0], first(a, &tailA, stepA), first(b, &tailB, stepB), n, stepA, stepB)
	}
	if n < len(dst) {
		f.kernel(&tailA[0], &tailA[0], &tailB[0], 8, 32, 32)
		copy(dst[n:], tailA[:])
	}
}

func (f operation) kernel(dst, a, b *float32, n, stepA, stepB int) {
	switch f {
	case add:
		addKernel(dst, a, b, n, stepA, stepB)
	case sub:
		subKernel(dst, a, b, n, stepA, stepB)
	case mul:
		mulKernel(dst, a, b, n, stepA, stepB)
	case div:
		divKernel(dst, a, b, n, stepA, stepB)
	case larger:
		maxKernel(dst, a, b, n, stepA, stepB)
	case smaller:
		minKernel(dst, a, b, n, stepA, stepB)
	}
}

func (f operation) plain(a, b float32) float32 {
	switch f {
	case add:
		return a + b
	case sub:
		return a - b
	case mul:
		return a * b
	case div:
		return a / b
	case larger:
		return max(a, b)
	default:
		return min(a, b)
	}
}

// fill sets tail to v's values from n on, or to its only one eight times. It
// returns the bytes from eight of v's values to the next.
func fill(tail *[8]float32, v []float32, n int) int {
	if len(v) == 1 {
		for i := range tail {
			tail[i] = v[0]
		}
		return 0
	}
	copy(tail[:], v[n:])
	return 32
}

// first is where a kernel starts to read v.
func first(v []float32, tail *[8]float32, step int) *float32 {
	if step == 0 {
		return &tail[0]
	}
	return &v[0]
}

// step is how far to go in v per value of the result.
func step(v []float32) int {
	if len(v) == 1 {
		return 0
	}
	return 1
}

// Greater sets dst to a > b.
func Greater(dst []bool, a, b []float32) {
	stepA, stepB := step(a), step(b)
	n := 0
	if quick() && len(dst) >= 8 {
		n = len(dst) &^ 7
		var tailA, tailB [8]float32
		bytesA, bytesB := fill(&tailA, a, n), fill(&tailB, b, n)
		greaterKernel(&dst[0], first(a, &tailA, bytesA), first(b, &tailB, bytesB), n, bytesA, bytesB)
	}
	for i := n; i < len(dst); i++ {
		dst[i] = a[i*stepA] > b[i*stepB]
	}
}

// Where sets dst to a where cond is true, else to b.
func Where(dst []float32, cond []bool, a, b []float32) {
	stepA, stepB := step(a), step(b)
	n := 0
	if quick() && len(dst) >= 8 {
		n = len(dst) &^ 7
		var tailA, tailB [8]float32
		bytesA, bytesB := fill(&tailA, a, n), fill(&tailB, b, n)
		whereKernel(&dst[0], &cond[0], first(a, &tailA, bytesA), first(b, &tailB, bytesB), n, bytesA, bytesB)
	}
	for i := n; i < len(dst); i++ {
		if cond[i] {
			dst[i] = a[i*stepA]
		} else {
			dst[i] = b[i*stepB]
		}
	}
}
