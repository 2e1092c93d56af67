package rules

import (
	"wsss/models/onnximport/legalise"
)

func init() {
	register(map[string]legalise.Rule{"DepthToSpace": depthToSpace, "SpaceToDepth": spaceToDepth})
}

func blockOf(n *node, x *value) int {
	s := n.Int("blocksize", 0)
	if x.Rank() != 4 || s < 1 {
		legalise.Failf("input %v, blocks of %d", x.Dims, s)
	}
	return s
}

func depthToSpace(b *builder, n *node) []*value {
	x := arg(n, 0)
	s := blockOf(n, x)
	if x.Dims[1]%(s*s) != 0 {
		legalise.Failf("%d channels in blocks of %d", x.Dims[1], s)
	}
	batch, c, h, w := x.Dims[0], x.Dims[1]/(s*s), x.Dims[2], x.Dims[3]
	var y *value
	if n.Str("mode", "DCR") == "CRD" {
		y = b.Transpose(b.Reshape(x, batch, c, s, s, h, w), 0, 1, 4, 2, 5, 3)
	} else {
		y = b.Transpose(b.Reshape(x, batch, s, s, c, h, w), 0, 3, 4, 1, 5, 2)
	}
	return one(b.Reshape(y, batch, c, h*s, w*s))
}

func spaceToDepth(b *builder, n *node) []*value {
	x := arg(n, 0)
	s := blockOf(n, x)
	if x.Dims[2]%s != 0 || x.Dims[3]%s != 0 {
		legalise.Failf("%v in blocks of %d", x.Dims, s)
	}
	batch, c, h, w := x.Dims[0], x.Dims[1], x.Dims[2]/s, x.Dims[3]/s
	y := b.Transpose(b.Reshape(x, batch, c, h, s, w, s), 0, 3, 5, 1, 2, 4)
	return one(b.Reshape(y, batch, c*s*s, h, w))
}
