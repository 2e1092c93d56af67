package clip

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/ml/model"
	"google.golang.org/protobuf/proto"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/models/foundation/cliptags"
	"wsss/models/onnximport/onnxfile"
	"wsss/train/multilabel"
)

// ClassifierFile is an exported classifier in a run folder.
const ClassifierFile = "classifier.onnx"

// Export is multilabel.Net's: the checkpoint as ONNX, with its description.
func (n *network) Export(c *checkpoints.Checkpoint, dir string, d multilabel.Description) (string, error) {
	path := filepath.Join(dir, ClassifierFile)
	m, err := tuned(n.cfg.Encoder, n.input, n.output, c)
	if err != nil {
		return "", err
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	err = files.WriteAtomic(path, func(w io.Writer) error {
		_, err := w.Write(raw)
		return err
	})
	if err != nil {
		return "", err
	}
	return path, files.WriteJSON(cliptags.DescriptionPath(path), cliptags.Description{
		Input: n.input, Size: n.size, Loss: n.cfg.Loss, Encoder: c.Meta.InitHash,
		Classes: d.Classes, Threshold: d.Threshold, Val: d.Val, Step: d.Step,
	})
}

// tuned is the encoder's graph with the weights of a checkpoint and the new
// layers behind output.
func tuned(encoder, input, output string, c *checkpoints.Checkpoint) (*protos.ModelProto, error) {
	f, err := onnxfile.Open(encoder)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m := proto.Clone(f.Proto).(*protos.ModelProto)
	g := m.Graph
	keepNeeded(g, output)
	halves := halfInputs(g)
	for i, t := range g.Initializer {
		source, ok := find(f.Proto.Graph.Initializer, t.Name)
		if !ok {
			return nil, fmt.Errorf("%s: weight %q is lost", encoder, t.Name)
		}
		filled, err := fill(f, source, c)
		if err != nil {
			return nil, fmt.Errorf("%s: weight %q: %w", encoder, t.Name, err)
		}
		if isHalf(source) && !halves[t.Name] {
			return nil, fmt.Errorf("%s: weight %q is half precision and so is what uses it: export the encoder in single precision", encoder, t.Name)
		}
		g.Initializer[i] = filled
	}
	in, ok := findInput(g.Input, input)
	if !ok {
		return nil, fmt.Errorf("%s: no input %q", encoder, input)
	}
	g.Input = []*protos.ValueInfoProto{in}
	g.ValueInfo = nil
	return m, appendHead(g, output, c)
}

func find(list []*protos.TensorProto, name string) (*protos.TensorProto, bool) {
	i := slices.IndexFunc(list, func(t *protos.TensorProto) bool { return t.Name == name })
	if i < 0 {
		return nil, false
	}
	return list[i], true
}

func findInput(list []*protos.ValueInfoProto, name string) (*protos.ValueInfoProto, bool) {
	i := slices.IndexFunc(list, func(v *protos.ValueInfoProto) bool { return v.Name == name })
	if i < 0 {
		return nil, false
	}
	return list[i], true
}

// keepNeeded drops nodes and weights that output does not depend on.
func keepNeeded(g *protos.GraphProto, output string) {
	needed := map[string]bool{output: true}
	var nodes []*protos.NodeProto
	for _, n := range slices.Backward(g.Node) {
		if !slices.ContainsFunc(n.Output, func(o string) bool { return needed[o] }) {
			continue
		}
		nodes = append(nodes, n)
		for _, in := range n.Input {
			needed[in] = true
		}
		for _, a := range n.Attribute {
			if a.G != nil {
				for _, name := range outerNames(a.G) {
					needed[name] = true
				}
			}
		}
	}
	slices.Reverse(nodes)
	g.Node = nodes
	g.Initializer = slices.DeleteFunc(g.Initializer, func(t *protos.TensorProto) bool { return !needed[t.Name] })
}

// outerNames lists what a subgraph reads, its own names among them.
func outerNames(g *protos.GraphProto) []string {
	var names []string
	for _, n := range g.Node {
		names = append(names, n.Input...)
		for _, a := range n.Attribute {
			if a.G != nil {
				names = append(names, outerNames(a.G)...)
			}
		}
	}
	for _, o := range g.Output {
		names = append(names, o.Name)
	}
	return names
}

func isHalf(t *protos.TensorProto) bool {
	d := protos.TensorProto_DataType(t.DataType)
	return d == protos.TensorProto_FLOAT16 || d == protos.TensorProto_BFLOAT16
}

// halfInputs tells the values that only casts read: those may be stored in
// single precision whatever they were.
func halfInputs(g *protos.GraphProto) map[string]bool {
	only := map[string]bool{}
	for _, n := range g.Node {
		for _, in := range n.Input {
			was, seen := only[in]
			only[in] = n.OpType == "Cast" && (was || !seen)
		}
	}
	return only
}

// fill is a weight with its values inside: the checkpoint's where it has them.
func fill(f *onnxfile.File, t *protos.TensorProto, c *checkpoints.Checkpoint) (*protos.TensorProto, error) {
	source, err := f.Tensor(t)
	if err != nil {
		return nil, err
	}
	out := &protos.TensorProto{Name: t.Name, Dims: t.Dims, DataType: int32(source.DType)}
	name := checkpoints.WeightPrefix + "/" + encoderScope + "/" + strings.ReplaceAll(t.Name, model.ScopeSeparator, "|")
	if _, saved := c.Info(name); !saved || source.DType != protos.TensorProto_FLOAT { // no parameter: as in the file
		out.RawData = make([]byte, source.Bytes())
		return out, source.ReadInto(out.RawData)
	}
	v, err := c.Tensor(name)
	if err != nil {
		return nil, err
	}
	if v.Size() != source.Len() {
		return nil, fmt.Errorf("%d values were trained, the file has %d", v.Size(), source.Len())
	}
	return out, v.ConstBytes(func(b []byte) { out.RawData = slices.Clone(b) })
}

// appendHead adds LayerNorm and the linear layer. Means are matrix products,
// which are written alike in every version of ONNX.
func appendHead(g *protos.GraphProto, from string, c *checkpoints.Checkpoint) error {
	const p = "wsss/head/"
	width := 0
	for _, name := range []string{normScale, normBias, weightName, biasName} {
		v, err := c.Tensor(checkpoints.WeightPrefix + "/" + headScope + "/" + name)
		if err != nil {
			return err
		}
		t := &protos.TensorProto{Name: p + name, DataType: int32(protos.TensorProto_FLOAT)}
		for _, d := range v.Shape().Dimensions {
			t.Dims = append(t.Dims, int64(d))
		}
		if name == normScale {
			width = v.Size()
		}
		if err := v.ConstBytes(func(b []byte) { t.RawData = slices.Clone(b) }); err != nil {
			return err
		}
		g.Initializer = append(g.Initializer, t)
	}
	g.Initializer = append(g.Initializer,
		constant(p+"mean", slices.Repeat([]float32{1 / float32(width)}, width), int64(width), 1),
		constant(p+"epsilon", []float32{normEpsilon}))
	last := from
	add := func(op, out string, in ...string) {
		g.Node = append(g.Node, &protos.NodeProto{OpType: op, Name: p + op + "_" + out, Input: in, Output: []string{out}})
		last = out
	}
	add("MatMul", p+"mu", from, p+"mean")
	add("Sub", p+"centred", from, p+"mu")
	add("Mul", p+"squares", p+"centred", p+"centred")
	add("MatMul", p+"variance", p+"squares", p+"mean")
	add("Add", p+"positive", p+"variance", p+"epsilon")
	add("Sqrt", p+"deviation", p+"positive")
	add("Div", p+"normal", p+"centred", p+"deviation")
	add("Mul", p+"scaled", p+"normal", p+normScale)
	add("Add", p+"shifted", p+"scaled", p+normBias)
	add("MatMul", p+"product", p+"shifted", p+weightName)
	add("Add", cliptags.LogitsName, p+"product", p+biasName)
	classes := g.Initializer[len(g.Initializer)-3].Dims[0] // of the bias
	g.Output = []*protos.ValueInfoProto{{Name: last, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{TensorType: &protos.TypeProto_Tensor{
		ElemType: int32(protos.TensorProto_FLOAT),
		Shape: &protos.TensorShapeProto{Dim: []*protos.TensorShapeProto_Dimension{
			{Value: &protos.TensorShapeProto_Dimension_DimParam{DimParam: "batch"}},
			{Value: &protos.TensorShapeProto_Dimension_DimValue{DimValue: classes}},
		}},
	}}}}}
	return nil
}

func constant(name string, values []float32, dims ...int64) *protos.TensorProto {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return &protos.TensorProto{Name: name, DataType: int32(protos.TensorProto_FLOAT), Dims: dims, RawData: raw}
}
