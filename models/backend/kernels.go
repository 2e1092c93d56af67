package backend

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gohook"

	"wsss/models/backend/vec"
)

// The go backend's arithmetic on float32 is vec's, on all cores.
func init() {
	gohook.SetKernels(gohook.Kernels{
		Functions: map[compute.OpType]func(dst, x []float32){
			compute.OpTypeExp: vec.Exp, compute.OpTypeErf: vec.Erf, compute.OpTypeTanh: vec.Tanh,
			compute.OpTypeLogistic: vec.Logistic, compute.OpTypeSqrt: vec.Sqrt, compute.OpTypeRsqrt: vec.Rsqrt,
		},
		Operations: map[compute.OpType]func(dst, a, b []float32){
			compute.OpTypeAdd: vec.Add, compute.OpTypeSub: vec.Sub, compute.OpTypeMul: vec.Mul,
			compute.OpTypeDiv: vec.Div, compute.OpTypeMax: vec.Max, compute.OpTypeMin: vec.Min,
		},
		Reductions: map[compute.OpType]gohook.Reduction{
			compute.OpTypeReduceSum: {Row: vec.Sum, Join: vec.Add},
			compute.OpTypeReduceMax: {Row: vec.Peak, Join: vec.Max},
		},
		Greater: vec.Greater, Where: vec.Where, Softmax: vec.Softmax, Gelu: vec.Gelu, LayerNorm: vec.LayerNorm,
		WeightedRows: vec.WeightedRows,
	})
}
