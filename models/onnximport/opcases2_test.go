package onnximport

import (
	"math"

	"github.com/gomlx/compute-onnx/support/protos"
)

func moveCases() []opCase {
	return []opCase{
		{name: "Pad constant", op: "Pad", in: []operand{rnd(2, 3, 4), ints(0, 1, 2, 1, 0, 3), floats(1.5).shaped()}},
		{name: "Pad negative", op: "Pad", in: []operand{rnd(2, 5, 4), ints(0, -1, 2, 0, -2, 0)}},
		{name: "Pad reflect", op: "Pad", in: []operand{rnd(2, 5, 4), ints(0, 2, 3, 0, 1, 2)}, attrs: at{"mode": "reflect"}},
		{name: "Pad edge", op: "Pad", in: []operand{rnd(2, 5, 4), ints(1, 2, 3, 0, 1, 2)}, attrs: at{"mode": "edge"}},
		{name: "Pad wrap", op: "Pad", opset: 19, in: []operand{rnd(2, 5, 4), ints(0, 2, 3, 0, 1, 2)}, attrs: at{"mode": "wrap"}},
		{name: "Pad axes", op: "Pad", opset: 18, in: []operand{rnd(2, 5, 4), ints(2, 1), none(), ints(-1)}},
		{name: "Pad 2", op: "Pad", opset: 10, in: []operand{rnd(2, 5)}, attrs: at{"pads": []int64{0, 1, 1, 0}, "value": float32(3)}},
		{name: "Slice", op: "Slice", in: []operand{rnd(4, 6, 5), ints(1, -3), ints(9, -1), ints(1, 2)}},
		{name: "Slice steps", op: "Slice", in: []operand{rnd(4, 7, 5), ints(0, 1), ints(4, 100), ints(0, 1), ints(2, 3)}},
		{name: "Slice backwards", op: "Slice", in: []operand{rnd(4, 7, 5), ints(-1, 5), ints(math.MinInt64, 0), ints(0, 1), ints(-1, -2)}},
		{name: "Slice 9", op: "Slice", opset: 9, in: []operand{rnd(4, 7)}, attrs: at{"starts": []int64{1}, "ends": []int64{3}, "axes": []int64{1}}},
		{name: "Split", op: "Split", in: []operand{rnd(2, 7), ints(3, 4)}, attrs: at{"axis": 1}, outs: 2},
		{name: "Split even", op: "Split", in: []operand{rnd(6, 2)}, outs: 3},
		{name: "Split 18", op: "Split", opset: 18, in: []operand{rnd(7, 2)}, attrs: at{"num_outputs": 3}, outs: 3},
		{name: "Concat", op: "Concat", in: []operand{rnd(2, 3), rnd(2, 1), weight(2, 2)}, attrs: at{"axis": 1}},
		{name: "Squeeze", op: "Squeeze", in: []operand{rnd(1, 3, 1, 2), ints(-2)}},
		{name: "Squeeze all", op: "Squeeze", in: []operand{rnd(1, 3, 1, 2)}},
		{name: "Squeeze 11", op: "Squeeze", opset: 11, in: []operand{rnd(1, 3, 1)}, attrs: at{"axes": []int64{0}}},
		{name: "Unsqueeze", op: "Unsqueeze", in: []operand{rnd(3, 2), ints(0, -1)}},
		{name: "Unsqueeze 11", op: "Unsqueeze", opset: 11, in: []operand{rnd(3, 2)}, attrs: at{"axes": []int64{1}}},
		{name: "Flatten", op: "Flatten", in: []operand{rnd(2, 3, 4)}, attrs: at{"axis": 2}},
		{name: "Reshape", op: "Reshape", in: []operand{rnd(2, 3, 4), ints(0, -1, 2)}},
		{name: "Transpose", op: "Transpose", in: []operand{rnd(2, 3, 4)}, attrs: at{"perm": []int64{2, 0, 1}}},
		{name: "Transpose reversed", op: "Transpose", in: []operand{rnd(2, 3, 4)}},
		{name: "Transpose of ones", op: "Transpose", in: []operand{rnd(2, 1, 4)}, attrs: at{"perm": []int64{1, 0, 2}}},
		{name: "Expand", op: "Expand", in: []operand{rnd(3, 1), ints(2, 1, 4)}},
		{name: "Tile", op: "Tile", in: []operand{rnd(2, 3), ints(2, 3)}},
		{name: "Gather scalar", op: "Gather", in: []operand{rnd(3, 4, 2), ints(-1).shaped()}, attrs: at{"axis": 1}},
		{name: "Gather axis 2", op: "Gather", in: []operand{rnd(3, 4, 5), ints(4, -5, 2, 2).shaped(2, 2)}, attrs: at{"axis": 2}},
		{name: "Gather by input", op: "Gather", in: []operand{weight(7, 3), ints(6, -1, 0, 3).shaped(2, 2).input()}},
		{name: "Gather by input axis 1", op: "Gather", in: []operand{rnd(2, 7, 3), ints(6, -1, 0).input()}, attrs: at{"axis": 1}},
		{name: "GatherElements", op: "GatherElements", in: []operand{rnd(3, 4), ints(0, -1, 2, 3, 1, 1).shaped(3, 2).input()}, attrs: at{"axis": 1}},
		{name: "GatherND", op: "GatherND", in: []operand{rnd(3, 4, 2), ints(0, 1, 2, -1).shaped(2, 2).input()}},
		{name: "GatherND batch", op: "GatherND", in: []operand{rnd(2, 4, 3), ints(1, 3, 0, 2).shaped(2, 2, 1).input()}, attrs: at{"batch_dims": 1}},
		{name: "Trilu upper", op: "Trilu", in: []operand{rnd(2, 4, 5), ints(1).shaped()}},
		{name: "Trilu lower", op: "Trilu", in: []operand{rnd(4, 5)}, attrs: at{"upper": 0}},
		{name: "EyeLike", op: "EyeLike", in: []operand{rnd(3, 4)}, attrs: at{"k": 1}},
		{name: "Shape", op: "Shape", in: []operand{rnd(3, 4, 2)}, attrs: at{"start": -2}},
		{name: "Size", op: "Size", in: []operand{rnd(3, 4, 2)}},
	}
}

func scatterCases() []opCase {
	return []opCase{
		{name: "ScatterElements", op: "ScatterElements", in: []operand{rnd(3, 4), ints(0, -1, 2, 0, 3, 1).shaped(3, 2).input(), rnd(3, 2)}, attrs: at{"axis": 1}},
		{name: "ScatterElements fixed", op: "ScatterElements", in: []operand{rnd(3, 4), ints(2, 0, 1, 1, 2, 0).shaped(2, 3), rnd(2, 3)}},
		{name: "ScatterElements add", op: "ScatterElements", in: []operand{rnd(3, 4), ints(0, 0, 2, 2, 3, 1).shaped(3, 2).input(), rnd(3, 2)}, attrs: at{"axis": 1, "reduction": "add"}},
		{name: "ScatterND", op: "ScatterND", in: []operand{rnd(4, 3, 2), ints(1, 2, 3, 0).shaped(2, 2).input(), rnd(2, 2)}},
		{name: "ScatterND fixed, twice", op: "ScatterND", in: []operand{rnd(4, 3), ints(1, 3, 1).shaped(3, 1), rnd(3, 3)}},
		{name: "ScatterND add", op: "ScatterND", in: []operand{rnd(4, 3), ints(1, 3, 1).shaped(3, 1), rnd(3, 3)}, attrs: at{"reduction": "add"}},
		{name: "OneHot", op: "OneHot", in: []operand{ints(0, 2, -1, 9).shaped(2, 2).input(), ints(4).shaped(), floats(-1, 3)}},
		{name: "OneHot axis 0", op: "OneHot", in: []operand{ints(0, 2, 3).input(), ints(4).shaped(), floats(0, 1)}, attrs: at{"axis": 0}},
	}
}

func reduceCases() []opCase {
	var all []opCase
	for _, op := range []string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"} {
		a := at{"axes": []int64{-1, 1}, "keepdims": 0}
		in := []operand{rnd(2, 3, 4)}
		if op == "ReduceSum" {
			a, in = at{"keepdims": 0}, append(in, ints(-1, 1))
		}
		all = append(all, opCase{name: op, op: op, in: in, attrs: a})
		all = append(all, opCase{name: op + " all", op: op, in: []operand{rnd(2, 3, 4)}})
	}
	return append(all,
		opCase{name: "ReduceLogSum", op: "ReduceLogSum", in: []operand{uni(0.1, 2, 2, 3)}, attrs: at{"axes": []int64{1}}},
		opCase{name: "ReduceMean 18", op: "ReduceMean", opset: 18, in: []operand{rnd(2, 3, 4), ints(1)}},
		opCase{name: "ReduceSum of axis 1", op: "ReduceSum", in: []operand{rnd(2, 1, 4), ints(1)}, attrs: at{"keepdims": 0}},
		opCase{name: "ArgMax", op: "ArgMax", in: []operand{rnd(3, 5, 2)}, attrs: at{"axis": 1}},
		opCase{name: "ArgMax of ints", op: "ArgMax", in: []operand{ints(3, 9, 9, 1, 7, 7).shaped(2, 3).input()}, attrs: at{"axis": -1, "keepdims": 0}},
		opCase{name: "ArgMax last", op: "ArgMax", in: []operand{floats(1, 5, 5, 2, 2, 2).shaped(2, 3).input()}, attrs: at{"axis": -1, "select_last_index": 1}},
		opCase{name: "ArgMin", op: "ArgMin", in: []operand{rnd(3, 5)}, attrs: at{"axis": 0, "keepdims": 0}},
		opCase{name: "TopK", op: "TopK", in: []operand{rnd(3, 9), ints(4)}, outs: 2},
		opCase{name: "TopK in blocks", op: "TopK", in: []operand{rnd(1, 5000), ints(48)}, outs: 2},
		opCase{name: "TopK ties", op: "TopK", in: []operand{floats(1, 5, 5, 2, 5, 2).shaped(1, 6).input(), ints(5)}, outs: 2},
		opCase{name: "TopK smallest, axis 0", op: "TopK", in: []operand{rnd(6, 3), ints(2)}, attrs: at{"axis": 0, "largest": 0}, outs: 2},
		opCase{name: "CumSum", op: "CumSum", in: []operand{rnd(3, 5), ints(1).shaped()}},
		opCase{name: "CumSum exclusive", op: "CumSum", in: []operand{rnd(3, 5), ints(0).shaped()}, attrs: at{"exclusive": 1}},
		opCase{name: "CumSum reverse of ints", op: "CumSum", in: []operand{ints(1, 2, 3, 4).input(), ints(0).shaped()}, attrs: at{"reverse": 1}},
	)
}

func elementCases() []opCase {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	var all []opCase
	for _, op := range []string{"Sqrt", "Log", "Reciprocal"} {
		all = append(all, opCase{name: op, op: op, in: []operand{uni(0.1, 3, 2, 3)}})
	}
	for _, op := range []string{"Exp", "Erf", "Tanh", "Sin", "Cos", "Sigmoid", "Relu", "Abs", "Neg", "Floor", "Ceil", "Sign", "LeakyRelu", "Elu", "Celu", "Selu", "ThresholdedRelu", "HardSigmoid", "HardSwish", "Softplus", "Softsign", "Identity"} {
		all = append(all, opCase{name: op, op: op, in: []operand{rnd(3, 7)}})
	}
	return append(all,
		opCase{name: "Mish", op: "Mish", opset: 18, in: []operand{rnd(3, 7)}},
		opCase{name: "Gelu", op: "Gelu", opset: 20, in: []operand{rnd(3, 7)}},
		opCase{name: "Gelu tanh", op: "Gelu", opset: 20, in: []operand{rnd(3, 7)}, attrs: at{"approximate": "tanh"}},
		opCase{name: "QuickGelu", op: "QuickGelu", domain: "com.microsoft", in: []operand{rnd(3, 7)}},
		opCase{name: "FastGelu", op: "FastGelu", domain: "com.microsoft", in: []operand{rnd(3, 7), weight(7)}},
		opCase{name: "BiasGelu", op: "BiasGelu", domain: "com.microsoft", in: []operand{rnd(3, 7), weight(7)}},
		opCase{name: "PRelu", op: "PRelu", in: []operand{rnd(2, 3, 4), weight(3, 1)}},
		opCase{name: "Round", op: "Round", in: []operand{floats(0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.4999, 2.7, -3.2, 4.5, 1e7).input()}},
		opCase{name: "Clip", op: "Clip", in: []operand{rnd(3, 4), floats(-1).shaped(), floats(0.5).shaped()}},
		opCase{name: "Clip below", op: "Clip", in: []operand{rnd(3, 4), none(), floats(0.5).shaped()}},
		opCase{name: "Clip 6", op: "Clip", opset: 6, in: []operand{rnd(3, 4)}, attrs: at{"min": float32(-0.5), "max": float32(1)}},
		opCase{name: "Pow 2", op: "Pow", in: []operand{rnd(3, 4), floats(2).shaped()}},
		opCase{name: "Pow 3", op: "Pow", in: []operand{rnd(3, 4), floats(3).shaped()}},
		opCase{name: "Pow tensor", op: "Pow", in: []operand{uni(0.1, 2, 3, 4), rnd(4)}},
		opCase{name: "Mod float", op: "Mod", in: []operand{rnd(3, 4), uni(0.5, 1, 4)}, attrs: at{"fmod": 1}},
		opCase{name: "Mod ints", op: "Mod", in: []operand{ints(-7, 7, -6, 5).input(), ints(3, -3, 3, 5).input()}},
		opCase{name: "Cast to bool", op: "Cast", in: []operand{floats(0, 0.3, -2).input()}, attrs: at{"to": int(protos.TensorProto_BOOL)}},
		opCase{name: "Cast to int", op: "Cast", in: []operand{floats(0.9, -2.7, 3).input()}, attrs: at{"to": int(protos.TensorProto_INT64)}},
		opCase{name: "Cast from bool", op: "Cast", in: []operand{{dims: []int{2}, bools: []bool{true, false}}}, attrs: at{"to": int(protos.TensorProto_FLOAT)}},
		opCase{name: "IsNaN", op: "IsNaN", in: []operand{floats(nan, 1, inf).input()}},
		opCase{name: "IsInf", op: "IsInf", in: []operand{floats(nan, 1, inf, -inf).input()}},
		opCase{name: "IsInf positive", op: "IsInf", in: []operand{floats(nan, 1, inf, -inf).input()}, attrs: at{"detect_negative": 0}},
		opCase{name: "Equal bools", op: "Equal", in: []operand{{dims: []int{4}, bools: []bool{true, false, true, false}}, {dims: []int{4}, bools: []bool{true, true, false, false}}}},
		opCase{name: "Greater", op: "Greater", in: []operand{rnd(3, 4), rnd(4)}},
		opCase{name: "And", op: "And", in: []operand{{dims: []int{2, 1}, bools: []bool{true, false}}, {dims: []int{2}, bools: []bool{true, false}}}},
		opCase{name: "Not", op: "Not", in: []operand{{dims: []int{2, 1}, bools: []bool{true, false}}}},
		opCase{name: "Where", op: "Where", in: []operand{{dims: []int{2, 1}, bools: []bool{true, false}}, rnd(3), rnd(2, 3)}},
		opCase{name: "Where fixed", op: "Where", in: []operand{{dims: []int{1}, bools: []bool{true}, fixed: true}, rnd(3), rnd(2, 3)}},
		opCase{name: "Sum", op: "Sum", in: []operand{rnd(2, 3), rnd(3), rnd(2, 1)}},
		opCase{name: "Sum of one", op: "Sum", in: []operand{rnd(2, 3)}},
		opCase{name: "Mean", op: "Mean", in: []operand{rnd(2, 3), rnd(3), rnd(2, 1)}},
		opCase{name: "Min", op: "Min", in: []operand{rnd(2, 3), rnd(3), rnd(2, 1)}},
		opCase{name: "Max", op: "Max", in: []operand{rnd(2, 3), rnd(3)}},
		opCase{name: "Div ints", op: "Div", in: []operand{ints(-7, 7, 9).input(), ints(2, 2, 3).input()}},
		opCase{name: "Dropout", op: "Dropout", in: []operand{rnd(2, 3)}},
	)
}

func productCases() []opCase {
	return []opCase{
		{name: "QuantizeLinear", op: "QuantizeLinear", in: []operand{uni(-9, 20, 3, 5), floats(0.05).shaped(), bytesOf(100).shaped()}},
		{name: "DequantizeLinear", op: "DequantizeLinear", in: []operand{bytesOf(0, 7, 200, 255, 3, 9).shaped(2, 3).input(), floats(0.05, 2, 0.1), bytesOf(100, 3, 0)}},
		{name: "DequantizeLinear axis 0", op: "DequantizeLinear", in: []operand{bytesOf(0, 7, 200, 255, 3, 9).shaped(2, 3).input(), floats(0.05, 2)}, attrs: at{"axis": 0}},
		{name: "MatMulInteger", op: "MatMulInteger", in: []operand{bytesOf(1, 255, 3, 77, 5, 6).shaped(2, 3).input(), bytesOf(9, 8, 7, 250, 1, 0).shaped(3, 2), bytesOf(10).shaped(), bytesOf(3, 128)}},
		{name: "ConvInteger", op: "ConvInteger", in: []operand{someBytes(1, 3, 6, 5).input(), someBytes(4, 3, 3, 3), bytesOf(10).shaped(), bytesOf(128).shaped()}, attrs: at{"pads": []int64{1, 1, 1, 1}, "strides": []int64{2, 1}}},
		{name: "ConvInteger many terms", op: "ConvInteger", in: []operand{someBytes(1, 300, 2, 2).input(), someBytes(2, 300, 1, 1), bytesOf(3).shaped(), bytesOf(120).shaped()}},
		{name: "MatMulInteger many terms", op: "MatMulInteger", in: []operand{someBytes(2, 2, 300).input(), someBytes(300, 3), bytesOf(3).shaped(), bytesOf(120).shaped()}},
		{name: "ConvInteger groups", op: "ConvInteger", in: []operand{someBytes(1, 4, 4, 4).input(), someBytes(4, 1, 3, 3), bytesOf(128).shaped()}, attrs: at{"group": 4}},
		{name: "RoiAlign", op: "RoiAlign", in: []operand{rnd(2, 3, 8, 10), floats(1, 1, 12, 9, 0, 0, 19, 15, -4, 5, 6, 30, 3, 3, 3.5, 3.2).shaped(4, 4).input(), ints(0, 1, 1, 0)}, attrs: at{"output_height": 3, "output_width": 2, "sampling_ratio": 2, "spatial_scale": float32(0.5)}},
		{name: "RoiAlign, places by region", op: "RoiAlign", in: []operand{rnd(2, 3, 8, 10), floats(1, 1, 12, 9, 0, 0, 19, 15, 3, 3, 3.5, 3.2).shaped(3, 4).input(), ints(0, 1, 1)}, attrs: at{"output_height": 3, "output_width": 2, "spatial_scale": float32(0.5)}},
		{name: "RoiAlign, places by region, as torchvision", op: "RoiAlign", in: []operand{rnd(1, 2, 9, 9), floats(0, 0, 9, 9, 2, 1, 2.2, 1.1, 1, 2, 6, 7.5).shaped(3, 4).input(), ints(0, 0, 0)}, attrs: at{"output_height": 3, "output_width": 3, "coordinate_transformation_mode": "output_half_pixel"}},
		{name: "RoiAlign 10", op: "RoiAlign", opset: 10, in: []operand{rnd(1, 2, 6, 6), floats(0, 0, 5, 5, 2, 1, 2.2, 1.1).shaped(2, 4).input(), ints(0, 0)}, attrs: at{"output_height": 2, "output_width": 2, "sampling_ratio": 1}},
		{name: "Attention", op: "Attention", opset: 23, in: []operand{rnd(2, 3, 4, 5), rnd(2, 3, 6, 5), rnd(2, 3, 6, 7)}},
		{name: "Attention flat", op: "Attention", opset: 23, in: []operand{rnd(2, 4, 12), rnd(2, 6, 6), rnd(2, 6, 6), rnd(4, 6)}, attrs: at{"q_num_heads": 4, "kv_num_heads": 2, "scale": float32(0.4)}},
		{name: "Attention causal", op: "Attention", opset: 23, in: []operand{rnd(1, 2, 4, 5), rnd(1, 2, 4, 5), rnd(1, 2, 4, 5)}, attrs: at{"is_causal": 1}},
		{name: "Attention past", op: "Attention", opset: 23, outs: 3, in: []operand{rnd(1, 2, 2, 4), rnd(1, 2, 3, 4), rnd(1, 2, 3, 4), none(), rnd(1, 2, 5, 4), rnd(1, 2, 5, 4)}},
		{name: "MatMul", op: "MatMul", in: []operand{rnd(2, 3, 4), weight(4, 5)}},
		{name: "MatMul batches", op: "MatMul", in: []operand{rnd(2, 1, 3, 4), rnd(5, 4, 2)}},
		{name: "MatMul matrix by batch", op: "MatMul", in: []operand{rnd(3, 4), rnd(5, 4, 2)}},
		{name: "MatMul vector", op: "MatMul", in: []operand{rnd(4), rnd(2, 4, 3)}},
		{name: "MatMul by vector", op: "MatMul", in: []operand{rnd(2, 3, 4), rnd(4)}},
		{name: "MatMul vectors", op: "MatMul", in: []operand{rnd(4), rnd(4)}},
		{name: "Gemm", op: "Gemm", in: []operand{rnd(4, 3), weight(5, 4), weight(5)}, attrs: at{"transA": 1, "transB": 1, "alpha": float32(0.5), "beta": float32(2)}},
		{name: "Einsum matrix product", op: "Einsum", in: []operand{rnd(3, 4), rnd(4, 5)}, attrs: at{"equation": "ij,jk->ik"}},
		{name: "Einsum rel pos", op: "Einsum", in: []operand{rnd(2, 3, 4, 5), rnd(3, 6, 5)}, attrs: at{"equation": "bhwc,hkc->bhwk"}, tol: 1e-4},
		{name: "Einsum rel pos w", op: "Einsum", in: []operand{rnd(2, 3, 4, 5), rnd(4, 6, 5)}, attrs: at{"equation": "bhwc,wkc->bhwk"}, tol: 1e-4},
		{name: "Einsum batch", op: "Einsum", in: []operand{rnd(2, 3, 4), rnd(2, 5, 4)}, attrs: at{"equation": "bqc, bkc -> bqk"}},
		{name: "Einsum trace of sums", op: "Einsum", in: []operand{rnd(3, 4), rnd(5)}, attrs: at{"equation": "ij,k->j"}, tol: 1e-4},
		{name: "Einsum transpose", op: "Einsum", in: []operand{rnd(3, 4)}, attrs: at{"equation": "ij->ji"}},
		{name: "Einsum three", op: "Einsum", in: []operand{rnd(3, 4), rnd(4, 2), rnd(2, 5)}, attrs: at{"equation": "ij,jk,kl->il"}, tol: 1e-4},
		{name: "Einsum ellipsis", op: "Einsum", in: []operand{rnd(2, 3, 4), rnd(2, 4, 5)}, attrs: at{"equation": "...ij,...jk->...ik"}, tol: 1e-4},
		{name: "Einsum implicit", op: "Einsum", in: []operand{rnd(3, 4), rnd(4, 5)}, attrs: at{"equation": "ij,jk"}},
	}
}

// someBytes are bytes of many values, an initializer.
func someBytes(dims ...int) operand {
	n := 1
	for _, d := range dims {
		n *= d
	}
	v := make([]uint8, n)
	for i := range v {
		v[i] = uint8(i*i*7 + i*31 + n)
	}
	return bytesOf(v...).shaped(dims...)
}
