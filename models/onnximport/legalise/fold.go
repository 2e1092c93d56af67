package legalise

import (
	"math"

	"github.com/gomlx/compute-onnx/support/protos"
)

func ceil(x float64) float64 { return math.Ceil(x) }

// roundTo rounds a result to the precision of its type.
func roundTo(d DType, x float64) float64 {
	if d == Float {
		return float64(float32(x))
	}
	return x
}

// wrapTo wraps an integer result to the width of its type.
func wrapTo(d DType, x int64) int64 {
	switch d {
	case Bool:
		if x != 0 {
			return 1
		}
		return 0
	case Int8:
		return int64(int8(x))
	case Uint8:
		return int64(uint8(x))
	case protos.TensorProto_INT16:
		return int64(int16(x))
	case protos.TensorProto_UINT16:
		return int64(uint16(x))
	case Int32:
		return int64(int32(x))
	case protos.TensorProto_UINT32:
		return int64(uint32(x))
	}
	return x
}

func toFloats(v []int64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// toInt01 marks the elements that are not zero.
func toInt01(c *Const) []int {
	out := make([]int, max(len(c.Ints), len(c.Floats)))
	for i := range out {
		if c.Floats != nil && c.Floats[i] != 0 || c.Ints != nil && c.Ints[i] != 0 {
			out[i] = 1
		}
	}
	return out
}

// newConst makes room for the elements of v.
func newConst(v *Value) *Const {
	if IsFloat(v.DType) {
		v.Const = &Const{Floats: make([]float64, v.Len())}
	} else {
		v.Const = &Const{Ints: make([]int64, v.Len())}
	}
	return v.Const
}

// copyFrom copies element j of src to element i.
func (c *Const) copyFrom(i int, src *Const, j int) {
	if c.Floats != nil {
		c.Floats[i] = src.Floats[j]
	} else if c.Ints != nil {
		c.Ints[i] = src.Ints[j]
	}
}

// indexer maps flat positions of an output to flat positions of an input that
// is broadcast to it.
func indexer(out, in []int) func(int) int {
	same := len(out) == len(in)
	strides := make([]int, len(out))
	step := 1
	for i := len(in) - 1; i >= 0; i-- {
		k := i + len(out) - len(in)
		if in[i] != out[k] {
			same = false
		}
		if in[i] != 1 {
			strides[k] = step
		}
		step *= in[i]
	}
	if same {
		return func(i int) int { return i }
	}
	return func(flat int) int {
		at := 0
		for k := len(out) - 1; k >= 0; k-- {
			at += flat % out[k] * strides[k]
			flat /= out[k]
		}
		return at
	}
}

// unaryFn computes element-wise ops.
type unaryFn struct {
	float    func(float64) float64
	int      func(int64) int64
	foldOnly bool // not among the importer's ops
}

var unaryOps = map[string]unaryFn{
	"Sqrt":       {float: math.Sqrt},
	"Exp":        {float: math.Exp},
	"Log":        {float: math.Log},
	"Erf":        {float: math.Erf},
	"Tanh":       {float: math.Tanh},
	"Sin":        {float: math.Sin},
	"Cos":        {float: math.Cos},
	"Sigmoid":    {float: func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }},
	"Relu":       {float: func(x float64) float64 { return max(x, 0) }, int: func(x int64) int64 { return max(x, 0) }},
	"Abs":        {float: math.Abs, int: func(x int64) int64 { return max(x, -x) }},
	"Neg":        {float: func(x float64) float64 { return -x }, int: func(x int64) int64 { return -x }},
	"Floor":      {float: math.Floor},
	"Ceil":       {float: math.Ceil},
	"Round":      {float: math.RoundToEven, foldOnly: true},
	"Reciprocal": {float: func(x float64) float64 { return 1 / x }},
	"Not":        {int: func(x int64) int64 { return 1 - x }},
	"Sign":       {float: sign, int: func(x int64) int64 { return int64(sign(float64(x))) }},
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

func evalUnary(f unaryFn) func(*Builder, *Node, []*Value) bool {
	return func(b *Builder, n *Node, out []*Value) bool {
		in, y := n.In[0].Const, newConst(out[0])
		d := out[0].DType
		switch {
		case y.Floats != nil && f.float != nil:
			for i, x := range in.Floats {
				y.Floats[i] = roundTo(d, f.float(x))
			}
		case y.Ints != nil && f.int != nil:
			for i, x := range in.Ints {
				y.Ints[i] = wrapTo(d, f.int(x))
			}
		default:
			return false
		}
		return true
	}
}

// binaryFn computes broadcasting ops of two operands.
type binaryFn struct {
	bool  bool // the result is Bool
	float func(x, y float64) float64
	int   func(x, y int64) int64
}

var binaryOps = map[string]binaryFn{
	"Add":            {float: func(x, y float64) float64 { return x + y }, int: func(x, y int64) int64 { return x + y }},
	"Sub":            {float: func(x, y float64) float64 { return x - y }, int: func(x, y int64) int64 { return x - y }},
	"Mul":            {float: func(x, y float64) float64 { return x * y }, int: func(x, y int64) int64 { return x * y }},
	"Div":            {float: func(x, y float64) float64 { return x / y }, int: intDiv},
	"Pow":            {float: math.Pow, int: func(x, y int64) int64 { return int64(math.Pow(float64(x), float64(y))) }},
	"Min":            {float: func(x, y float64) float64 { return min(x, y) }, int: func(x, y int64) int64 { return min(x, y) }},
	"Max":            {float: func(x, y float64) float64 { return max(x, y) }, int: func(x, y int64) int64 { return max(x, y) }},
	"Mod":            {float: math.Mod, int: floorMod},
	"And":            {bool: true, int: func(x, y int64) int64 { return x & y }},
	"Or":             {bool: true, int: func(x, y int64) int64 { return x | y }},
	"Xor":            {bool: true, int: func(x, y int64) int64 { return x ^ y }},
	"Equal":          compare(func(c int) bool { return c == 0 }),
	"Less":           compare(func(c int) bool { return c == -1 }),
	"LessOrEqual":    compare(func(c int) bool { return c == -1 || c == 0 }),
	"Greater":        compare(func(c int) bool { return c == 1 }),
	"GreaterOrEqual": compare(func(c int) bool { return c == 1 || c == 0 }),
}

func intDiv(x, y int64) int64 {
	if y == 0 {
		failf("division by zero")
	}
	return x / y
}

func floorMod(x, y int64) int64 {
	if y == 0 {
		failf("division by zero")
	}
	r := x % y
	if r != 0 && (r < 0) != (y < 0) {
		r += y
	}
	return r
}

// compare makes a comparison from the sign of x−y; 2 stands for unordered.
func compare(ok func(int) bool) binaryFn {
	one := func(c int) int64 {
		if ok(c) {
			return 1
		}
		return 0
	}
	return binaryFn{bool: true,
		float: func(x, y float64) float64 {
			switch {
			case x < y:
				return float64(one(-1))
			case x > y:
				return float64(one(1))
			case x == y:
				return float64(one(0))
			}
			return float64(one(2))
		},
		int: func(x, y int64) int64 {
			switch {
			case x < y:
				return one(-1)
			case x > y:
				return one(1)
			}
			return one(0)
		},
	}
}

func evalBinary(f binaryFn) func(*Builder, *Node, []*Value) bool {
	return func(b *Builder, n *Node, out []*Value) bool {
		x, y, z := n.In[0], n.In[1], out[0]
		if n.Op == "Mod" && !IsFloat(z.DType) && n.Int("fmod", 0) != 0 {
			return false
		}
		res := newConst(z)
		ix, iy := indexer(z.Dims, x.Dims), indexer(z.Dims, y.Dims)
		for i := range z.Len() {
			switch {
			case x.Const.Floats == nil:
				res.Ints[i] = wrapTo(z.DType, f.int(x.Const.Ints[ix(i)], y.Const.Ints[iy(i)]))
			case f.float == nil:
				return false
			default:
				v := f.float(x.Const.Floats[ix(i)], y.Const.Floats[iy(i)])
				if res.Ints != nil {
					res.Ints[i] = int64(v)
				} else {
					res.Floats[i] = roundTo(z.DType, v)
				}
			}
		}
		return true
	}
}

func evalWhere(b *Builder, n *Node, out []*Value) bool {
	z := out[0]
	res := newConst(z)
	ic, ix, iy := indexer(z.Dims, n.In[0].Dims), indexer(z.Dims, n.In[1].Dims), indexer(z.Dims, n.In[2].Dims)
	for i := range z.Len() {
		if n.In[0].Const.Ints[ic(i)] != 0 {
			res.copyFrom(i, n.In[1].Const, ix(i))
		} else {
			res.copyFrom(i, n.In[2].Const, iy(i))
		}
	}
	return true
}

func evalCast(b *Builder, n *Node, out []*Value) bool {
	in, y := n.In[0].Const, newConst(out[0])
	d := out[0].DType
	for i := range out[0].Len() {
		switch {
		case in.Floats != nil && y.Floats != nil:
			y.Floats[i] = roundTo(d, in.Floats[i])
		case in.Floats != nil && d == Bool:
			if in.Floats[i] != 0 {
				y.Ints[i] = 1
			}
		case in.Floats != nil:
			y.Ints[i] = wrapTo(d, int64(in.Floats[i]))
		case y.Floats != nil:
			y.Floats[i] = roundTo(d, float64(in.Ints[i]))
		default:
			y.Ints[i] = wrapTo(d, in.Ints[i])
		}
	}
	return true
}

// reduceFn folds elements into an accumulator.
type reduceFn struct {
	native bool
	start  float64
	step   func(acc, x float64) float64
	done   func(acc float64, count int) float64
}

var reductions = map[string]reduceFn{
	"ReduceSum":  {native: true, step: func(a, x float64) float64 { return a + x }},
	"ReduceMean": {native: true, step: func(a, x float64) float64 { return a + x }, done: func(a float64, n int) float64 { return a / float64(n) }},
	"ReduceMax":  {native: true, start: math.Inf(-1), step: func(a, x float64) float64 { return max(a, x) }},
	"ReduceMin":  {native: true, start: math.Inf(1), step: func(a, x float64) float64 { return min(a, x) }},
	"ReduceProd": {native: true, start: 1, step: func(a, x float64) float64 { return a * x }},
}

func evalReduce(f reduceFn) func(*Builder, *Node, []*Value) bool {
	return func(b *Builder, n *Node, out []*Value) bool {
		x, y := n.In[0], out[0]
		if n.Arg(1) != nil || (n.Ints("axes") == nil && x.Rank() > 0) {
			return false // the rule puts the node into canonical form first
		}
		dims := make([]int, x.Rank()) // x's shape with reduced axes 1
		copy(dims, x.Dims)
		for _, a := range n.Ints("axes") {
			dims[Axis(a, x.Rank())] = 1
		}
		acc := make([]float64, y.Len())
		for i := range acc {
			acc[i] = f.start
		}
		at := indexer(x.Dims, dims)
		for i := range x.Len() {
			v := 0.0
			if x.Const.Floats != nil {
				v = x.Const.Floats[i]
			} else {
				v = float64(x.Const.Ints[i])
			}
			acc[at(i)] = f.step(acc[at(i)], v)
		}
		res := newConst(y)
		for i, v := range acc {
			if f.done != nil {
				v = f.done(v, x.Len()/max(1, len(acc)))
			}
			if res.Floats != nil {
				res.Floats[i] = roundTo(y.DType, v)
			} else {
				res.Ints[i] = wrapTo(y.DType, int64(v))
			}
		}
		return true
	}
}
