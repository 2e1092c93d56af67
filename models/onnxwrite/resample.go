package onnxwrite

import "math"

// Resampled is x [batch, height, width, channels] at the size that the matrices
// have: rows [to, height], columns [to, width].
func (n *Net) Resampled(x, rows, columns Value) Value {
	y := n.MatMul(columns, x)
	wide, deep := n.Dim(y, 2), n.Dim(y, 3)
	return n.Shaped(n.MatMul(rows, n.Reshape(y, 0, 0, -1)), 0, 0, wide, deep)
}

// centres are where the pixels of a length, int64 [1], lie among pixels that are
// so many times as small, float32: (i + ½)·step, [length, 1].
func (n *Net) centres(length, step Value) Value {
	return n.Reshape(n.Mul(n.Add(n.Counted(length), n.Float(0.5)), step), -1, 1)
}

// numbered are 0, 1, … below a length from first on, [1, length].
func (n *Net) numbered(first, length int) Value {
	v := make([]float32, length)
	for i := range v {
		v[i] = float32(first + i)
	}
	return n.Floats("numbers_"+string(n.Ints(first, length)), v, 1, length)
}

// ratio is a / b of lengths int64 [1], as float32.
func (n *Net) ratio(a, b Value) Value { return n.Op("Div", list(n.AsFloat(a), n.AsFloat(b))) }

// Triangles is the matrix [to, from] of bilinear interpolation, pixel areas
// aligned, from a length to another, int64 [1], whose pixels lie step apart.
func (n *Net) Triangles(from, to, step Value) Value {
	last := n.Op("Sub", list(n.AsFloat(from), n.Float(1)))
	at := n.Op("Sub", list(n.centres(to, step), n.Float(0.5)))
	at = n.Op("Min", list(n.Op("Max", list(at, n.Float(0))), last))
	far := n.Op("Abs", list(n.Op("Sub", list(at, n.Reshape(n.Counted(from), 1, -1)))))
	return n.ReLU(n.Op("Sub", list(n.Float(1), far)))
}

// CubicEdge is by how many pixels Cubic wants what it interpolates to repeat its
// edges.
const CubicEdge = 2

// Cubic is the matrix [to, from + 2·CubicEdge] of layers.CubicWeights without
// antialiasing, for what repeats its edges; to is int64 [1].
func (n *Net) Cubic(from int, to Value) Value {
	at := n.Op("Sub", list(n.centres(to, n.ratio(n.Ints(from), to)), n.Float(0.5)))
	return n.keys(n.Op("Sub", list(at, n.numbered(-CubicEdge, from+2*CubicEdge))), -0.75)
}

// CubicMean is the matrix [to, from] of layers.CubicWeights with antialiasing.
func (n *Net) CubicMean(from int, to Value) Value {
	scale := n.ratio(n.Ints(from), to)
	wide := n.Op("Max", list(scale, n.Float(1)))
	at := n.Op("Sub", list(n.Add(n.numbered(0, from), n.Float(0.5)), n.centres(to, scale)))
	m := n.keys(n.Op("Div", list(at, wide)), -0.5)
	return n.Op("Div", list(m, n.Op("ReduceSum", list(m, n.Ints(1)), A("keepdims", 1))))
}

// keys is Keys' cubic convolution kernel with parameter a.
func (n *Net) keys(x Value, a float64) Value {
	x = n.Op("Abs", list(x))
	poly := func(c ...float64) Value { // by Horner
		y := n.Float(float32(c[0]))
		for _, v := range c[1:] {
			y = n.Add(n.Mul(y, x), n.Float(float32(v)))
		}
		return y
	}
	outer := n.Op("Where", list(n.Op("Less", list(x, n.Float(2))), poly(a, -5*a, 8*a, -4*a), n.Float(0)))
	return n.Op("Where", list(n.Op("LessOrEqual", list(x, n.Float(1))), poly(a+2, -(a+3), 0, 1), outer))
}

// QuickGELU is OpenAI's approximation of GELU.
func (n *Net) QuickGELU(x Value) Value {
	return n.Mul(x, n.Op("Sigmoid", list(n.Mul(x, n.Float(1.702)))))
}

// UnitLength scales the vectors of the last axis to length 1.
func (n *Net) UnitLength(x Value) Value {
	square := n.Op("ReduceSum", list(n.Mul(x, x), n.Ints(-1)), A("keepdims", 1))
	return n.Op("Div", list(x, n.Op("Sqrt", list(n.Add(square, n.Float(1e-12))))))
}

// Rest is the end of an axis, from a place on.
func (n *Net) Rest(x Value, axis, from int) Value { return n.SliceAxis(x, axis, from, math.MaxInt32) }
