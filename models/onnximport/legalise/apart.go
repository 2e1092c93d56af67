package legalise

import (
	"github.com/gomlx/compute-onnx/support/protos"
)

// apart are the ops whose results have shapes that only the elements of their
// operands tell. Where these are not known beforehand, a graph can be run up to
// such an op, the op computed by itself (Compute), and what follows legalised for
// what came out (Options.Given).
var apart = map[string]bool{"NonMaxSuppression": true, "NonZero": true}

// Compute runs one of those ops on operands with known elements; nil stands for
// one that is left out.
func Compute(p *protos.NodeProto, in []*Value) (out []*Value, err error) {
	defer catch(&err)
	def := ops[p.OpType]
	if !apart[p.OpType] || def == nil {
		failf("op %s is not computed apart", p.OpType)
	}
	b := &Builder{taken: map[string]int{}}
	n := &Node{Op: p.OpType, Domain: p.Domain, Name: p.Name, In: in, Attrs: attrsOf(p), outs: p.Output}
	if out = b.fold(n, def); out == nil {
		failf("op %s gives more than %d elements", p.OpType, foldLimit)
	}
	return out, nil
}

// placeholder stands for the result of an op that is computed apart, as large as
// it can be.
func (b *Builder) placeholder(n *Node) []*Value {
	need(n, 1)
	v := &Value{Name: b.unique("~" + n.Op), DType: Int64, Input: true}
	switch n.Op {
	case "NonZero":
		v.Dims = []int{n.In[0].Rank(), n.In[0].Len()}
	case "NonMaxSuppression":
		d := detectionsOf(n)
		v.Dims = []int{d.images * d.classes * d.boxes, 3}
		if most := n.Arg(2); most != nil && most.Const != nil {
			v.Dims[0] = d.images * d.classes * min(d.boxes, mostOf(b, n))
		}
	}
	bound(v)
	if v.Len() == 0 {
		v.Const, v.Input = emptyConst(v.DType), false
	}
	return []*Value{v}
}
