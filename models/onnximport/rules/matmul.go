package rules

import (
	"slices"

	"wsss/models/onnximport/legalise"
)

func init() {
	register(map[string]legalise.Rule{"MatMul": matmul, "Gemm": gemm})
}

// matmul gives vectors a second axis, as the op's definition does, and flattens
// batches that meet a plain matrix, where that is faster.
func matmul(b *builder, n *node) []*value {
	x, y := arg(n, 0), arg(n, 1)
	if x.Rank() == 0 || y.Rank() == 0 {
		legalise.Failf("a scalar operand")
	}
	if x.Rank() > 2 && y.Rank() == 2 && b.FlatProducts() {
		rows := x.Rank() - 1
		flat := b.Op("MatMul", nil, b.Reshape(x, prod(x.Dims[:rows]), x.Dims[rows]), y)
		return one(b.Reshape(flat, append(slices.Clone(x.Dims[:rows]), y.Dims[1])...))
	}
	if x.Rank() > 1 && y.Rank() > 1 {
		if z := byParts(b, n); z != nil {
			return one(z)
		}
		return nil
	}
	rx, ry := x.Rank(), y.Rank()
	if rx == 1 {
		x = b.Reshape(x, 1, x.Dims[0])
	}
	if ry == 1 {
		y = b.Reshape(y, y.Dims[0], 1)
	}
	z := b.Op("MatMul", nil, x, y)
	dims := append([]int(nil), z.Dims...)
	if ry == 1 {
		dims = dims[:len(dims)-1]
	}
	if rx == 1 {
		at := len(dims) - 1 // the row axis is last, but for a column axis
		if ry > 1 {
			at--
		}
		dims = append(dims[:at], dims[at+1:]...)
	}
	return one(b.Reshape(z, dims...))
}

// gemm is α·A·B + β·C with optional transposes.
func gemm(b *builder, n *node) []*value {
	x, y := arg(n, 0), arg(n, 1)
	if x.Rank() != 2 || y.Rank() != 2 {
		legalise.Failf("operands of rank %d and %d", x.Rank(), y.Rank())
	}
	if n.Int("transA", 0) != 0 {
		x = b.Transpose(x, 1, 0)
	}
	if n.Int("transB", 0) != 0 {
		y = b.Transpose(y, 1, 0)
	}
	z := scale(b, b.Op("MatMul", nil, x, y), n.Float("alpha", 1))
	if c := n.Arg(2); c != nil {
		z = add(b, z, scale(b, c, n.Float("beta", 1)))
	}
	return one(z)
}

func scale(b *builder, x *value, f float64) *value {
	if f == 1 {
		return x
	}
	return mul(b, x, like(b, x, f))
}
