//go:build !amd64

package vec

// There are no kernels for this CPU; with fast false none is called.
const fast = false

const missing = "vec: no kernel for this CPU"

func expKernel(_, _ *float32, _ int)                              { panic(missing) }
func logisticKernel(_, _ *float32, _ int)                         { panic(missing) }
func erfKernel(_, _ *float32, _ int)                              { panic(missing) }
func tanhKernel(_, _ *float32, _ int)                             { panic(missing) }
func geluKernel(_, _ *float32, _ int)                             { panic(missing) }
func sqrtKernel(_, _ *float32, _ int)                             { panic(missing) }
func rsqrtKernel(_, _ *float32, _ int)                            { panic(missing) }
func addKernel(_, _, _ *float32, _, _, _ int)                     { panic(missing) }
func subKernel(_, _, _ *float32, _, _, _ int)                     { panic(missing) }
func mulKernel(_, _, _ *float32, _, _, _ int)                     { panic(missing) }
func divKernel(_, _, _ *float32, _, _, _ int)                     { panic(missing) }
func maxKernel(_, _, _ *float32, _, _, _ int)                     { panic(missing) }
func minKernel(_, _, _ *float32, _, _, _ int)                     { panic(missing) }
func greaterKernel(_ *bool, _, _ *float32, _, _, _ int)           { panic(missing) }
func whereKernel(_ *float32, _ *bool, _, _ *float32, _, _, _ int) { panic(missing) }
func sumKernel(_ *float32, _ int) float32                         { panic(missing) }
func squaresKernel(_ *float32, _ int, _ float32) float32          { panic(missing) }
func peakKernel(_ *float32, _ int) float32                        { panic(missing) }
func expSumKernel(_, _ *float32, _ int, _ float32) float32        { panic(missing) }
func normKernel(_, _, _, _ *float32, _ int, _, _ float32)         { panic(missing) }
func weightedRowsKernel(_, _ *float32, _ *int32, _ *float32, _, _, _ int) {
	panic(missing)
}
