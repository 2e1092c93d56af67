package vit

import (
	"encoding/binary"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"

	"wsss/models/onnximport/onnxfile"
)

// Inputs that a cut graph has beside the image.
const (
	PositionsInput = "wsss/positions" // [1, tokens, width]
	StreamInput    = "wsss/stream"    // as the value Stream
)

// Resize changes a file's graph, in memory, so that the image may have any
// size: the position embedding is the input PositionsInput, and shapes that the
// export fixed for tokens, the number that it was made for, follow from the
// image. t must have been found in a graph of the same file.
func (t *Tower) Resize(f *onnxfile.File, tokens int) error {
	g := f.Proto.Graph
	w := Follow(g)
	c := cutter{file: f, constants: map[string]*protos.TensorProto{}, concats: map[string]*protos.NodeProto{}}
	c.collect()
	for _, n := range slices.Clone(g.Node) {
		if n.OpType == "Reshape" && len(n.Input) > 1 && w.Made[n.Output[0]] == n {
			sizes := []int64{int64(tokens)}
			if w.Stem[n] {
				sizes = append(sizes, int64(tokens)-1)
			}
			if err := c.free(n, sizes); err != nil {
				return err
			}
		}
	}
	g.Node = append(c.made, g.Node...)
	rename(w.Made[t.sum], t.Positions, PositionsInput)
	for _, in := range g.Input {
		if in.Name == t.Input {
			open(in)
		}
	}
	g.Input = append(g.Input, floats(PositionsInput))
	g.ValueInfo = nil
	return nil
}

// Cut changes a file's graph, in memory, so that the last block reads the input
// StreamInput in place of the value Stream, and Embedding is that of every
// token, [batch · tokens, width].
func (t *Tower) Cut(f *onnxfile.File) {
	g := f.Proto.Graph
	pool := Follow(g).Made[t.pool]
	for _, n := range g.Node {
		rename(n, t.Stream, StreamInput)
	}
	pool.OpType, pool.Input = "Flatten", []string{t.Tokens} // of all images, all tokens
	pool.Attribute = []*protos.AttributeProto{{Name: "axis", Type: protos.AttributeProto_INT, I: 2}}
	g.Input = append(g.Input, floats(StreamInput))
	g.ValueInfo = nil
}

func rename(n *protos.NodeProto, from, to string) {
	for i, in := range n.Input {
		if in == from {
			n.Input[i] = to
		}
	}
}

// open lets the size of an image input vary.
func open(in *protos.ValueInfoProto) {
	shape := in.GetType().GetTensorType().GetShape()
	for i, d := range shape.GetDim() {
		if i >= 2 {
			d.Value = nil
		}
	}
}

// floats declares an input of tokens: rank 3, sizes open.
func floats(name string) *protos.ValueInfoProto {
	shape := &protos.TensorShapeProto{Dim: []*protos.TensorShapeProto_Dimension{{}, {}, {}}}
	return &protos.ValueInfoProto{Name: name, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{TensorType: &protos.TypeProto_Tensor{
		ElemType: int32(protos.TensorProto_FLOAT), Shape: shape,
	}}}}
}

// cutter frees shapes that an export fixed.
type cutter struct {
	file      *onnxfile.File
	constants map[string]*protos.TensorProto
	concats   map[string]*protos.NodeProto
	made      []*protos.NodeProto // new constants
}

func (c *cutter) collect() {
	for _, t := range c.file.Proto.Graph.Initializer {
		c.constants[t.Name] = t
	}
	for _, n := range c.file.Proto.Graph.Node {
		switch n.OpType {
		case "Constant":
			for _, a := range n.Attribute {
				if a.Name == "value" && a.T != nil {
					c.constants[n.Output[0]] = a.T
				}
			}
		case "Unsqueeze": // a number on its way into a shape
			if t := c.constants[n.Input[0]]; t != nil {
				c.constants[n.Output[0]] = t
			}
		case "Concat":
			c.concats[n.Output[0]] = n
		}
	}
}

// free lets the first of the sizes that a Reshape's shape names follow from
// the rest of it. The shape is a constant, or a concatenation of constants and
// what is computed. One that leaves a size open already stays.
func (c *cutter) free(n *protos.NodeProto, sizes []int64) error {
	list := []string{n.Input[1]}
	concat := c.concats[n.Input[1]]
	if concat != nil {
		list = slices.Clone(concat.Input)
	}
	at, place := -1, 0
	var values []int64
	for i, name := range list {
		v, err := c.read(name)
		if err != nil {
			return err
		}
		if slices.Contains(v, -1) {
			return nil
		}
		if p := slices.IndexFunc(v, func(x int64) bool { return slices.Contains(sizes, x) }); p >= 0 && at < 0 {
			at, place, values = i, p, v
		}
	}
	if at < 0 {
		return nil
	}
	values = slices.Clone(values)
	values[place] = -1
	list[at] = c.constant(n.Output[0]+"/wsss/free", values)
	if concat != nil {
		shape := proto.Clone(concat).(*protos.NodeProto)
		shape.Input, shape.Output = list, []string{n.Output[0] + "/wsss/shape"}
		at := slices.Index(c.file.Proto.Graph.Node, concat)
		c.file.Proto.Graph.Node = slices.Insert(c.file.Proto.Graph.Node, at+1, shape)
		list = shape.Output
	}
	n.Input[1] = list[0]
	return nil
}

// read returns the elements of a small whole-number constant, nil for what is
// none.
func (c *cutter) read(name string) ([]int64, error) {
	p := c.constants[name]
	if p == nil || p.DataType != int32(protos.TensorProto_INT64) {
		return nil, nil
	}
	t, err := c.file.Tensor(p)
	if err != nil || t.Len() > onnxfile.MaxRank {
		return nil, err
	}
	raw := make([]byte, t.Bytes())
	if err := t.ReadInto(raw); err != nil {
		return nil, err
	}
	out := make([]int64, t.Len())
	for i := range out {
		out[i] = int64(binary.LittleEndian.Uint64(raw[8*i:]))
	}
	return out, nil
}

func (c *cutter) constant(name string, values []int64) string {
	c.made = append(c.made, &protos.NodeProto{OpType: "Constant", Output: []string{name}, Attribute: []*protos.AttributeProto{{
		Name: "value", Type: protos.AttributeProto_TENSOR,
		T: &protos.TensorProto{DataType: int32(protos.TensorProto_INT64), Dims: []int64{int64(len(values))}, Int64Data: values},
	}}})
	return name
}
