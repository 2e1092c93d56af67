package imagenet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/imageproc"
	"wsss/data/vector"
	"wsss/models/foundation"
	"wsss/models/foundation/load"
	"wsss/models/onnximport/onnxfile"
)

// openONNX finds the linear layer of an ONNX classifier, and what is pooled
// before it.
func openONNX(b compute.Backend, path string, o Options) (*Classifier, error) {
	if o.Stride != 0 {
		return nil, errors.New("stride: an ONNX file fixes it")
	}
	file, err := onnxfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	c := &Classifier{}
	features, err := c.findLinear(file)
	if err != nil {
		return nil, err
	}
	s, err := load.Open(b, path, load.Options{MaxShapes: o.Shapes})
	if err != nil {
		return nil, err
	}
	e := &onnxEngine{session: load.Together(s), features: features, channels: c.channels, opts: o}
	c.engine = e
	e.in, err = foundation.ImageInputOf(e.session)
	return c, err
}

// graph finds the nodes of a file by what they make.
type graph struct {
	file   *onnxfile.File
	makers map[string]*protos.NodeProto
	inits  map[string]*protos.TensorProto
}

// passing are nodes that change nothing that matters between pooled features
// and logits.
var passing = []string{"Flatten", "Reshape", "Squeeze", "Unsqueeze", "Dropout", "Identity", "Cast", "Softmax", "LogSoftmax", "Sigmoid"}

// maxSteps bounds the way back through a file's nodes.
const maxSteps = 32

// findLinear walks back from the output: softmax, a linear layer (Gemm, MatMul
// and Add, or a 1×1 convolution), a flattening, global pooling. It sets the
// layer and returns the name of what is pooled.
func (c *Classifier) findLinear(file *onnxfile.File) (features string, err error) {
	g := graph{file, onnxfile.Makers(file.Proto.Graph), map[string]*protos.TensorProto{}}
	for _, t := range file.Proto.Graph.Initializer {
		g.inits[t.Name] = t
	}
	at := file.Proto.Graph.Output[0].Name
	for range maxSteps {
		n := g.makers[at]
		if n == nil {
			break
		}
		switch op := n.OpType; {
		case slices.Contains(passing, op):
			at = n.Input[0]
		case op == "GlobalAveragePool" || op == "ReduceMean":
			if c.weight == nil { // each map is a class already
				return "", errors.New("no linear layer follows the pooling")
			}
			return n.Input[0], nil
		case c.weight == nil && (op == "Gemm" || op == "MatMul" || op == "Conv"):
			if err := c.readONNX(g, n); err != nil {
				return "", fmt.Errorf("node %s %q: %w", op, n.Name, err)
			}
			at = n.Input[0]
		case c.weight == nil && op == "Add" && g.constant(n.Input[0]) != nil:
			c.bias, _, err = g.floats(n.Input[0])
			at = n.Input[1]
		case c.weight == nil && op == "Add" && g.constant(n.Input[1]) != nil:
			c.bias, _, err = g.floats(n.Input[1])
			at = n.Input[0]
		default:
			return "", fmt.Errorf("no classifier of global pooling and a linear layer: before its output there is a node %s", op)
		}
		if err != nil {
			return "", err
		}
	}
	return "", errors.New("no classifier of global pooling and a linear layer")
}

// constant is an initializer, or the value of a Constant node.
func (g graph) constant(name string) *protos.TensorProto {
	if t := g.inits[name]; t != nil {
		return t
	}
	n := g.makers[name]
	if n == nil {
		return nil
	}
	switch n.OpType {
	case "Constant":
		for _, a := range n.Attribute {
			if a.Name == "value" {
				return a.T
			}
		}
	case "Identity":
		return g.constant(n.Input[0])
	}
	return nil
}

func (g graph) floats(name string) ([]float32, []int, error) {
	p := g.constant(name)
	if p == nil {
		return nil, nil, fmt.Errorf("%q is no constant of float32 or half precision", name)
	}
	t, err := g.file.Tensor(p)
	if err != nil {
		return nil, nil, err
	}
	if t.DType != protos.TensorProto_FLOAT {
		return nil, nil, fmt.Errorf("%q is of type %v: wanted are float32 or half precision", name, t.DType)
	}
	raw := make([]byte, t.Bytes())
	if err := t.ReadInto(raw); err != nil {
		return nil, nil, err
	}
	v := make([]float32, t.Len())
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return v, t.Dims, nil
}

// readONNX takes the linear layer of a node as [classes, features].
func (c *Classifier) readONNX(g graph, n *protos.NodeProto) error {
	if len(n.Input) < 2 {
		return errors.New("it has no weights")
	}
	w, dims, err := g.floats(n.Input[1])
	if err != nil {
		return err
	}
	attr := map[string]*protos.AttributeProto{}
	for _, a := range n.Attribute {
		attr[a.Name] = a
	}
	across := n.OpType != "Conv" // [features, classes]
	if n.OpType == "Gemm" {
		across = attr["transB"].GetI() == 0
		if a := attr["alpha"]; a != nil && a.F != 1 || attr["transA"].GetI() != 0 {
			return errors.New("alpha and transA: allowed are 1 and 0")
		}
		if a := attr["beta"]; a != nil && a.F != 1 {
			return errors.New("beta: allowed is 1")
		}
	}
	if len(dims) == 4 && dims[2] == 1 && dims[3] == 1 {
		dims = dims[:2]
	}
	if len(dims) != 2 {
		return fmt.Errorf("weights of shape %v: wanted are [classes, features]", dims)
	}
	if len(n.Input) > 2 && n.Input[2] != "" {
		if c.bias, _, err = g.floats(n.Input[2]); err != nil {
			return err
		}
	}
	c.classes, c.channels, c.weight = dims[0], dims[1], w
	if across {
		c.classes, c.channels = dims[1], dims[0]
		c.weight = make([]float32, len(w))
		for i, v := range w {
			c.weight[i%c.classes*c.channels+i/c.classes] = v
		}
	}
	if c.bias == nil {
		c.bias = make([]float32, c.classes)
	}
	return nil
}

// onnxEngine runs the part of an ONNX classifier that makes the features.
type onnxEngine struct {
	session  foundation.Session
	features string
	channels int // of the features
	opts     Options
	in       foundation.ImageInput
}

func (e *onnxEngine) fixed() (w, h int) { return e.in.Size.X, e.in.Size.Y }

// run gives the features of each view, which the session may run together.
func (e *onnxEngine) run(ctx context.Context, img *imageproc.RGB) ([]features, error) {
	pixels, n := e.opts.pixels(img)
	return e.forward(ctx, pixels, n, img.W, img.H)
}

func (e *onnxEngine) forward(ctx context.Context, pixels []float32, n, w, h int) ([]features, error) {
	views := make([]features, n)
	err := foundation.Each(ctx, e.session, n, func(i int) (err error) {
		views[i], err = e.one(ctx, pixels[i*len(pixels)/n:(i+1)*len(pixels)/n], w, h)
		return err
	})
	return views, err
}

func (e *onnxEngine) one(ctx context.Context, pixels []float32, w, h int) (f features, err error) {
	in := tensors.FromFlatDataAndDimensions(pixels, 1, h, w, 3)
	if !e.in.Last {
		in = tensors.FromFlatDataAndDimensions(vector.Transpose(pixels, h*w, 3), 1, 3, h, w)
	}
	given := map[string]*tensors.Tensor{e.in.Name: in}
	defer foundation.Free(given)
	out, err := e.session.Run(ctx, given, e.features)
	if err != nil {
		return f, err
	}
	values, d, err := foundation.Floats(out, e.features, 4)
	if err != nil {
		return f, err
	}
	if d[3] == e.channels && (e.in.Last || d[1] != e.channels) {
		return features{d[2], d[1], d[3], values}, nil
	}
	return features{d[3], d[2], d[1], vector.Transpose(values, d[1], d[2]*d[3])}, nil
}
