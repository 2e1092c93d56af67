//go:build !(goexperiment.simd && amd64)

package affinity

func step(y *[block]float32, x []float32, at int, shifts []int, weights []float32) {
	stepGeneric(y, x, at, shifts, weights)
}
