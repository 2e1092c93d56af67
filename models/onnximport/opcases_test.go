package onnximport

import "fmt"

// opCases lists the models of TestOps.
func opCases() []opCase {
	all := []opCase{}
	for _, group := range [][]opCase{convCases(), resizeCases(), sampleCases(), normCases(), moveCases(), scatterCases(), reduceCases(), elementCases(), productCases(), selectCases()} {
		all = append(all, group...)
	}
	return all
}

func convCases() []opCase {
	return []opCase{
		{name: "ConvTranspose 2x2 stride 2", op: "ConvTranspose", in: []operand{rnd(2, 6, 5, 4), weight(6, 3, 2, 2), weight(3)}, attrs: at{"strides": []int64{2, 2}, "kernel_shape": []int64{2, 2}}},
		{name: "ConvTranspose overlapping, padded", op: "ConvTranspose", in: []operand{rnd(1, 4, 5, 3), weight(4, 3, 3, 4), weight(3)}, attrs: at{"strides": []int64{2, 1}, "pads": []int64{1, 0, 1, 2}, "output_padding": []int64{1, 0}}},
		{name: "ConvTranspose dilated, groups", op: "ConvTranspose", in: []operand{rnd(2, 4, 4, 4), weight(4, 3, 3, 3)}, attrs: at{"dilations": []int64{2, 1}, "group": 2, "strides": []int64{1, 2}}},
		{name: "ConvTranspose output_shape", op: "ConvTranspose", in: []operand{rnd(1, 2, 4, 4), weight(2, 2, 3, 3)}, attrs: at{"strides": []int64{2, 2}, "output_shape": []int64{8, 8}}},
		{name: "ConvTranspose one axis", op: "ConvTranspose", in: []operand{rnd(1, 2, 7), weight(2, 3, 4)}, attrs: at{"strides": []int64{3}}},
		{name: "Conv 3x3", op: "Conv", in: []operand{rnd(2, 3, 9, 8), weight(5, 3, 3, 3), weight(5)}, attrs: at{"pads": []int64{1, 1, 1, 1}}},
		{name: "Conv stride 2, uneven pads", op: "Conv", in: []operand{rnd(1, 3, 9, 10), weight(5, 3, 3, 2)}, attrs: at{"pads": []int64{1, 0, 2, 1}, "strides": []int64{2, 3}}},
		{name: "Conv dilated", op: "Conv", in: []operand{rnd(1, 3, 9, 10), weight(2, 3, 3, 3)}, attrs: at{"dilations": []int64{2, 3}}},
		{name: "Conv stride and dilation", op: "Conv", in: []operand{rnd(1, 3, 11, 10), weight(2, 3, 3, 3)}, attrs: at{"dilations": []int64{2, 2}, "strides": []int64{2, 2}}},
		{name: "Conv patches", op: "Conv", in: []operand{rnd(2, 3, 9, 8), weight(6, 3, 4, 4), weight(6)}, attrs: at{"strides": []int64{4, 4}}},
		{name: "Conv 1x1", op: "Conv", in: []operand{rnd(1, 4, 5, 6), weight(3, 4, 1, 1), weight(3)}},
		{name: "Conv 1x1 batch", op: "Conv", in: []operand{rnd(3, 4, 5, 6), weight(3, 4, 1, 1), weight(3)}},
		{name: "Conv depthwise", op: "Conv", in: []operand{rnd(2, 4, 7, 6), weight(4, 1, 3, 3), weight(4)}, attrs: at{"group": 4, "pads": []int64{1, 1, 1, 1}, "strides": []int64{2, 2}}},
		{name: "Conv groups", op: "Conv", in: []operand{rnd(2, 4, 7, 6), weight(6, 2, 3, 3)}, attrs: at{"group": 2}},
		{name: "Conv same upper", op: "Conv", in: []operand{rnd(1, 2, 7, 6), weight(3, 2, 3, 4)}, attrs: at{"auto_pad": "SAME_UPPER", "strides": []int64{2, 2}}},
		{name: "Conv same lower", op: "Conv", in: []operand{rnd(1, 2, 7, 6), weight(3, 2, 3, 4)}, attrs: at{"auto_pad": "SAME_LOWER"}},
		{name: "Conv one axis", op: "Conv", in: []operand{rnd(1, 2, 9), weight(3, 2, 3)}, attrs: at{"pads": []int64{1, 1}}},
		{name: "MaxPool", op: "MaxPool", in: []operand{rnd(2, 3, 8, 9)}, attrs: at{"kernel_shape": []int64{3, 3}, "strides": []int64{2, 2}, "pads": []int64{1, 1, 1, 1}}},
		{name: "MaxPool ceil", op: "MaxPool", in: []operand{rnd(1, 2, 8, 7)}, attrs: at{"kernel_shape": []int64{3, 2}, "strides": []int64{2, 2}, "ceil_mode": 1}},
		{name: "MaxPool dilated", op: "MaxPool", in: []operand{rnd(1, 2, 8, 9)}, attrs: at{"kernel_shape": []int64{3, 2}, "dilations": []int64{2, 3}, "pads": []int64{1, 1, 1, 1}}},
		{name: "AveragePool", op: "AveragePool", in: []operand{rnd(1, 2, 8, 9)}, attrs: at{"kernel_shape": []int64{3, 3}, "strides": []int64{2, 2}, "pads": []int64{1, 1, 1, 1}}},
		{name: "AveragePool counting pads", op: "AveragePool", in: []operand{rnd(1, 2, 8, 9)}, attrs: at{"kernel_shape": []int64{3, 3}, "strides": []int64{2, 1}, "pads": []int64{1, 1, 1, 0}, "count_include_pad": 1}},
		{name: "AveragePool ceil", op: "AveragePool", in: []operand{rnd(1, 2, 8, 7)}, attrs: at{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}, "ceil_mode": 1}},
		{name: "GlobalAveragePool", op: "GlobalAveragePool", in: []operand{rnd(2, 3, 4, 5)}},
		{name: "GlobalMaxPool", op: "GlobalMaxPool", in: []operand{rnd(2, 3, 4, 5)}},
		{name: "DepthToSpace DCR", op: "DepthToSpace", in: []operand{rnd(2, 8, 2, 3)}, attrs: at{"blocksize": 2}},
		{name: "DepthToSpace CRD", op: "DepthToSpace", in: []operand{rnd(2, 8, 2, 3)}, attrs: at{"blocksize": 2, "mode": "CRD"}},
		{name: "SpaceToDepth", op: "SpaceToDepth", in: []operand{rnd(1, 2, 4, 6)}, attrs: at{"blocksize": 2}},
	}
}

func resizeCases() []opCase {
	var all []opCase
	add := func(name string, opset int, a at, scales []float32, sizes []int64) {
		in := []operand{rnd(1, 2, 5, 6), none()}
		if sizes != nil {
			in = append(in, none(), ints(sizes...))
		} else {
			in = append(in, floats(scales...))
		}
		all = append(all, opCase{name: "Resize " + name, op: "Resize", in: in, attrs: a, opset: opset, tol: 1e-4})
	}
	for _, coords := range []string{"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"} {
		for _, mode := range []string{"linear", "cubic", "nearest"} {
			a := at{"mode": mode, "coordinate_transformation_mode": coords}
			add(fmt.Sprintf("%s %s up", mode, coords), 13, a, []float32{1, 1, 2, 1.5}, nil)
			add(fmt.Sprintf("%s %s to size", mode, coords), 13, a, nil, []int64{1, 2, 3, 13})
		}
	}
	for _, rounding := range []string{"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"} {
		add("nearest "+rounding, 13, at{"mode": "nearest", "nearest_mode": rounding, "coordinate_transformation_mode": "asymmetric"}, []float32{1, 1, 0.6, 2.5}, nil)
	}
	add("cubic a=-0.5, outside excluded", 13, at{"mode": "cubic", "cubic_coeff_a": float32(-0.5), "exclude_outside": 1}, []float32{1, 1, 2.3, 0.7}, nil)
	add("linear antialias", 18, at{"mode": "linear", "antialias": 1}, []float32{1, 1, 0.4, 0.5}, nil)
	add("cubic antialias", 18, at{"mode": "cubic", "antialias": 1}, []float32{1, 1, 0.4, 0.5}, nil)
	return append(all,
		opCase{name: "Resize 10", op: "Resize", opset: 10, in: []operand{rnd(1, 2, 4, 5), floats(1, 1, 2, 2)}, attrs: at{"mode": "nearest"}},
		opCase{name: "Upsample 9", op: "Upsample", opset: 9, in: []operand{rnd(1, 2, 4, 5), floats(1, 1, 2, 2)}, attrs: at{"mode": "linear"}})
}

func sampleCases() []opCase {
	var all []opCase
	for _, mode := range []string{"bilinear", "nearest", "bicubic"} {
		for _, padding := range []string{"zeros", "border", "reflection"} {
			for align := range 2 {
				all = append(all, opCase{name: fmt.Sprintf("GridSample %s %s %d", mode, padding, align), op: "GridSample", tol: 1e-4,
					in:    []operand{rnd(2, 3, 6, 5), uni(-1.7, 1.7, 2, 4, 7, 2)},
					attrs: at{"mode": mode, "padding_mode": padding, "align_corners": align}})
			}
		}
	}
	return all
}

func normCases() []opCase {
	positive := uni(0.5, 2, 4)
	positive.fixed = true
	return []opCase{
		{name: "InstanceNormalization", op: "InstanceNormalization", in: []operand{rnd(2, 4, 5, 3), weight(4), weight(4)}},
		{name: "GroupNormalization 21", op: "GroupNormalization", opset: 21, in: []operand{rnd(2, 4, 5, 3), weight(4), weight(4)}, attrs: at{"num_groups": 2}},
		{name: "BatchNormalization", op: "BatchNormalization", in: []operand{rnd(2, 4, 5, 3), weight(4), weight(4), weight(4), positive}, attrs: at{"epsilon": float32(1e-3)}},
		{name: "LayerNormalization", op: "LayerNormalization", opset: 17, in: []operand{rnd(2, 3, 8), weight(8), weight(8)}},
		{name: "LayerNormalization axis 1, no bias", op: "LayerNormalization", opset: 17, in: []operand{rnd(2, 3, 8), weight(3, 8)}, attrs: at{"axis": 1}},
		{name: "SkipLayerNormalization", op: "SkipLayerNormalization", domain: "com.microsoft", in: []operand{rnd(2, 3, 8), rnd(2, 3, 8), weight(8), weight(8), weight(8)}, attrs: at{"epsilon": float32(1e-5)}},
		{name: "LpNormalization", op: "LpNormalization", in: []operand{rnd(2, 6)}},
		{name: "LRN", op: "LRN", in: []operand{rnd(1, 6, 2, 3)}, attrs: at{"size": 3}},
		{name: "Softmax", op: "Softmax", in: []operand{rnd(2, 3, 4)}},
		{name: "Softmax axis 1", op: "Softmax", in: []operand{rnd(2, 3, 4)}, attrs: at{"axis": 1}},
		{name: "Softmax 11", op: "Softmax", opset: 11, in: []operand{rnd(2, 3, 4)}},
		{name: "LogSoftmax", op: "LogSoftmax", in: []operand{rnd(2, 3, 4)}, attrs: at{"axis": 1}},
		{name: "LogSoftmax 11", op: "LogSoftmax", opset: 11, in: []operand{rnd(2, 3, 4)}},
	}
}

// selectCases are of ops whose results are as long as their operands say.
func selectCases() []opCase { // of 16 boxes at most, which fixtures keep whole
	all := []opCase{{name: "NonZero, large", op: "NonZero", in: []operand{{dims: []int{9, 11}, bools: everyThird(99)}}}}
	nms := func(name string, images, classes, boxes int, side operand, a at, rest ...operand) {
		side.dims = []int{images, boxes, 4}
		all = append(all, opCase{name: "NonMaxSuppression " + name, op: "NonMaxSuppression", attrs: a,
			in: append([]operand{side, uni(0, 1, images, classes, boxes)}, rest...)})
	}
	corner, centre := uni(0, 3), uni(0.2, 2)
	nms("without a number", 1, 1, 20, corner, nil)
	nms("three at most", 1, 1, 20, corner, nil, ints(3), floats(0.3))
	nms("none at most", 1, 2, 20, corner, nil, ints(0), floats(0.3))
	nms("all", 1, 1, 18, corner, nil, ints(1<<62), floats(0.4))
	nms("any overlap", 1, 1, 40, corner, nil, ints(100))
	nms("no overlap is too much", 1, 1, 15, corner, nil, ints(100), floats(1))
	nms("scores alone", 1, 2, 20, corner, nil, ints(100), none(), floats(0.6))
	nms("no score is enough", 2, 2, 20, corner, nil, ints(100), floats(0.5), floats(2))
	nms("images and classes", 2, 2, 30, corner, nil, ints(4), floats(0.25), floats(0.2))
	nms("centres", 2, 3, 30, centre, at{"center_point_box": 1}, ints(2), floats(0.35), floats(0.1))
	nms("centres, negative sizes", 1, 1, 16, uni(-1, 1), at{"center_point_box": 1}, ints(100), floats(0.1))
	equal := operand{dims: []int{1, 1, 24}, floats: make([]float32, 24)}
	for i := range equal.floats {
		equal.floats[i] = float32(i%3) / 4
	}
	side := corner
	side.dims = []int{1, 24, 4}
	return append(all, opCase{name: "NonMaxSuppression equal scores", op: "NonMaxSuppression", in: []operand{side, equal, ints(10), floats(0.3)}},
		opCase{name: "NonMaxSuppression scalars", op: "NonMaxSuppression", in: []operand{side, equal, ints(10).shaped(), floats(0.3).shaped(), floats(0.2).shaped()}})
}

// everyThird is false but for every third element.
func everyThird(n int) []bool {
	v := make([]bool, n)
	for i := range v {
		v[i] = i%3 == 1
	}
	return v
}
