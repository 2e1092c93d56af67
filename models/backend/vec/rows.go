package vec

import "math"

// Sum is the sum of x, in an order that only len(x) decides.
func Sum(x []float32) float32 {
	s, n := float32(0), 0
	if quick() && len(x) >= 8 {
		n = len(x) &^ 7
		s = sumKernel(&x[0], n)
	}
	for _, v := range x[n:] {
		s += v
	}
	return s
}

// Peak is the largest value of x, which is not empty; NaN if there is one.
func Peak(x []float32) float32 {
	m, n := x[0], 0
	if quick() && len(x) >= 8 {
		n = len(x) &^ 7
		m = peakKernel(&x[0], n)
	}
	for _, v := range x[n:] {
		m = max(m, v)
	}
	return m
}

// Softmax sets dst to e^x divided by the sum of e^x, which is not empty.
func Softmax(dst, x []float32) {
	m := Peak(x)
	s := expSum(dst, x, m)
	Mul(dst, dst, []float32{1 / s})
}

// expSum sets dst to e^(x-shift) and returns the sum.
func expSum(dst, x []float32, shift float32) float32 {
	s := float32(0)
	if !quick() {
		for i, v := range x {
			dst[i] = float32(math.Exp(float64(v - shift)))
			s += dst[i]
		}
		return s
	}
	n := len(x) &^ 7
	if n > 0 {
		s = expSumKernel(&dst[0], &x[0], n, shift)
	}
	if n < len(x) {
		t := nothing
		copy(t[:], x[n:])
		s += expSumKernel(&t[0], &t[0], 8, shift)
		copy(dst[n:len(x)], t[:])
	}
	return s
}

// nothing adds 0 to a sum of e^x.
var nothing = func() (t [8]float32) {
	for i := range t {
		t[i] = float32(math.Inf(-1))
	}
	return t
}()

// LayerNorm sets dst to (x-mean)/√(variance+epsilon)·gamma + beta, with mean
// and variance of x; all have the same length.
func LayerNorm(dst, x, gamma, beta []float32, epsilon float64) {
	mean := Sum(x) / float32(len(x))
	s, n := float32(0), 0
	if quick() && len(x) >= 8 {
		n = len(x) &^ 7
		s = squaresKernel(&x[0], n, mean)
	}
	for _, v := range x[n:] {
		s += (v - mean) * (v - mean)
	}
	scale := float32(1 / math.Sqrt(float64(s/float32(len(x)))+epsilon))
	if n > 0 {
		normKernel(&dst[0], &x[0], &gamma[0], &beta[0], n, mean, scale)
	}
	for i := n; i < len(x); i++ {
		dst[i] = (x[i]-mean)*scale*gamma[i] + beta[i]
	}
}

// WeightedRows sets dst to Σₖ weights[k]·table[rows[k]·len(dst):], where rows
// are of the table and as many as weights.
func WeightedRows(dst, table []float32, rows []int32, weights []float32) {
	size, n := len(dst), 0
	if quick() && size >= 8 && len(rows) > 0 {
		n = size &^ 7
		weightedRowsKernel(&dst[0], &table[0], &rows[0], &weights[0], len(rows), n, 4*size)
	}
	for i := n; i < size; i++ {
		s := float32(0)
		for k, r := range rows {
			s += weights[k] * table[int(r)*size+i]
		}
		dst[i] = s
	}
}
