package legalise

// opDef says what the legaliser knows of an op.
type opDef struct {
	// infer returns new values with the types and shapes of the outputs.
	infer func(b *Builder, n *Node) []*Value
	// eval sets the constants of the outputs from those of the inputs; false
	// leaves the node to rules and importer.
	eval func(b *Builder, n *Node, out []*Value) bool
	// native ops may stand in the legalised graph.
	native bool
}

// ops are the ops that legalised graphs are made of (native), and those that
// are only computed beforehand. Everything else needs a rule.
var ops map[string]*opDef

func init() {
	ops = map[string]*opDef{
		"MatMul":             {infer: inferMatMul, eval: evalMatMul, native: true},
		"Conv":               {infer: inferConv, native: true},
		"MaxPool":            {infer: inferPool, native: true},
		"Softmax":            {infer: sameAsFirst, native: true},
		"LayerNormalization": {infer: sameAsFirst, native: true},
		"Gelu":               {infer: sameAsFirst, native: true},
		"FastGelu":           {infer: sameAsFirst, native: true},

		"Reshape":         {infer: inferReshape, eval: evalCopy, native: true},
		"Transpose":       {infer: inferTranspose, eval: evalTranspose, native: true},
		"Cast":            {infer: inferCast, eval: evalCast, native: true},
		"Concat":          {infer: inferConcat, eval: evalConcat, native: true},
		"Slice":           {infer: inferSlice, eval: evalSlice, native: true},
		"Gather":          {infer: inferGather, eval: evalGather, native: true},
		"GatherElements":  {infer: inferGatherElements, eval: evalGatherElements, native: true},
		"GatherND":        {infer: inferGatherND, eval: evalGatherND, native: true},
		"GatherSum":       {infer: inferGatherSum, native: true},
		"ScatterND":       {infer: sameAsFirst, eval: evalScatterND, native: true},
		"Expand":          {infer: inferExpand, eval: evalExpand, native: true},
		"Tile":            {infer: inferTile, eval: evalTile, native: true},
		"Pad":             {infer: inferPad, eval: evalPad, native: true},
		"Where":           {infer: inferWhere, eval: evalWhere, native: true},
		"CumSum":          {infer: sameAsFirst, eval: evalCumSum, native: true},
		"TopK":            {infer: inferTopK, eval: evalTopK, native: true},
		"Range":           {infer: inferRange, eval: evalRange},
		"ConstantOfShape": {infer: inferConstantOfShape, eval: evalConstantOfShape},

		"NonZero":           {infer: inferNonZero, eval: evalNonZero},
		"NonMaxSuppression": {infer: inferNonMaxSuppression, eval: evalNonMaxSuppression},
	}
	for op, f := range unaryOps {
		ops[op] = &opDef{infer: sameAsFirst, eval: evalUnary(f), native: !f.foldOnly}
	}
	for op, f := range binaryOps {
		ops[op] = &opDef{infer: inferBinary(f.bool), eval: evalBinary(f), native: true}
	}
	for op, f := range reductions {
		ops[op] = &opDef{infer: inferReduce, eval: evalReduce(f), native: f.native}
	}
}

// Known tells whether the legaliser knows the op at all.
func Known(op string) bool { return ops[op] != nil || rules[op] != nil }

func like(d DType, dims ...int) []*Value { return []*Value{{DType: d, Dims: dims}} }

func need(n *Node, k int) {
	for i := range k {
		if n.Arg(i) == nil {
			failf("input %d is missing", i)
		}
	}
}

func sameAsFirst(b *Builder, n *Node) []*Value {
	need(n, 1)
	return like(n.In[0].DType, append([]int(nil), n.In[0].Dims...)...)
}
