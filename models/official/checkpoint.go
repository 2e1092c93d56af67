// Package official builds ONNX graphs of networks that are published as
// PyTorch checkpoints or safetensors files only, from the names and shapes of the
// file's tensors. The graph is a small file; the weights stay where they are, in
// the file beside it, which the graph points into.
package official

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"google.golang.org/protobuf/proto"

	"wsss/checkpoints/files"
	"wsss/models/onnxwrite"
	"wsss/models/weights"
)

// Opset is the operator set of the graphs.
const Opset = 17

type value = onnxwrite.Value

var attr = onnxwrite.A

// list is a short way to write a node's inputs.
func list(v ...value) []value { return v }

// sub is the name of one of a list of modules.
func sub(module string, i int) string { return onnxwrite.Sub(module, i) }

// checkpoint is a file of weights.
type checkpoint struct {
	storage
	file string // its name in the model's folder
	// prefix is put before names: "model." where the weights are one entry of
	// the file among others, "module." where several GPUs trained.
	prefix string
	names  map[string]bool
	// rename gives the file's name for a tensor, without prefix; nil: the same.
	rename func(name string, has func(name string) bool) string
}

// openCheckpoint opens a file; marks are tensors, apart by spaces, of which it must
// hold one, by which prefixes are found.
func openCheckpoint(path, marks string) (*checkpoint, error) {
	r, err := openStorage(path)
	if err != nil {
		return nil, err
	}
	c := &checkpoint{storage: r, file: filepath.Base(path), names: map[string]bool{}}
	found := ""
	for _, name := range r.Names() {
		c.names[name] = true
		for _, mark := range strings.Fields(marks) {
			if prefix, ok := strings.CutSuffix(name, mark); ok && (found == "" || len(name) < len(found)) && (prefix == "" || strings.HasSuffix(prefix, ".")) {
				found, c.prefix = name, prefix
			}
		}
	}
	if found == "" {
		r.Close()
		return nil, fmt.Errorf("%s: it has no tensor %s: another network, or another release of it", path, strings.ReplaceAll(marks, " ", " or "))
	}
	return c, nil
}

// has tells whether there is a tensor of the file's own name, without prefix.
func (c *checkpoint) has(name string) bool { return c.names[c.prefix+name] }

// full is the whole name of a tensor in the file.
func (c *checkpoint) full(name string) string {
	if c.rename != nil {
		name = c.rename(name, c.has)
	}
	return c.prefix + name
}

// net is a network that is being written, from one checkpoint or several: the
// first that has a tensor counts.
type net struct {
	*onnxwrite.Net
	from []*checkpoint
	err  error // the first error stays
	// notes are kept with the graph, beside the names of its weight files.
	notes map[string]string
}

func (n *net) fail(err error) {
	if n.err == nil && err != nil {
		n.err = err
	}
}

// holder is the checkpoint that has a tensor, and the tensor's name there.
func (n *net) holder(name string) (*checkpoint, string) {
	for _, c := range n.from {
		if full := c.full(name); c.names[full] {
			return c, full
		}
	}
	return nil, ""
}

func (n *net) HasWeight(name string) bool { c, _ := n.holder(name); return c != nil }

// shape is that of a tensor; of rank zeros where it is missing, which is an
// error.
func (n *net) WeightShape(name string, rank int) []int {
	c, full := n.holder(name)
	if c == nil {
		n.fail(fmt.Errorf("%s: it has no tensor %s", n.from[0].file, name))
		return make([]int, rank)
	}
	shape, err := c.Shape(full)
	if err == nil && len(shape) != rank {
		err = fmt.Errorf("%s: tensor %s has shape %v, wanted are %d axes", c.file, name, shape, rank)
	}
	if err != nil {
		n.fail(err)
		return make([]int, rank)
	}
	return shape
}

// kinds are the types that weights may have; all are cast to float32.
var kinds = map[dtypes.DType]protos.TensorProto_DataType{
	dtypes.Float32: protos.TensorProto_FLOAT, dtypes.Float16: protos.TensorProto_FLOAT16,
	dtypes.BFloat16: protos.TensorProto_BFLOAT16, dtypes.Int64: protos.TensorProto_INT64,
}

// w is a weight, in float32.
func (n *net) Weight(name string) value {
	if n.Has(value(name)) {
		return value(name)
	}
	if n.Has(value(name + ".stored")) {
		return value(name + ".float")
	}
	c, full := n.holder(name)
	if c == nil {
		n.fail(fmt.Errorf("%s: it has no tensor %s", n.from[0].file, name))
		return value(name)
	}
	p, ok, err := c.Place(full)
	if err == nil && kinds[p.DType] == protos.TensorProto_UNDEFINED {
		err = fmt.Errorf("%s: tensor %s is of type %s: allowed are float32, float16 and bfloat16", c.file, name, p.DType)
	}
	if err != nil {
		n.fail(err)
		return value(name)
	}
	if !ok { // a copy in the graph
		return n.copied(c, full, name)
	}
	if p.DType == dtypes.Float32 {
		return n.External(name, kinds[p.DType], c.file, p.Offset, p.Bytes, p.Shape...)
	}
	stored := n.External(name+".stored", kinds[p.DType], c.file, p.Offset, p.Bytes, p.Shape...)
	out := value(name + ".float")
	n.Named(out, "Cast", []value{stored}, attr("to", int(protos.TensorProto_FLOAT)))
	return out
}

// maxCopied bounds the weights that are copied into a graph, in bytes: a model
// file has at most 2 GB.
const maxCopied = 1 << 30

func (n *net) copied(c *checkpoint, full, name string) value {
	flat, dims, err := readFloats(c, full)
	if err == nil && 4*len(flat) > maxCopied {
		err = fmt.Errorf("%s: tensor %s is compressed or strided, and too large to copy", c.file, name)
	}
	n.fail(err)
	return n.Floats(name, flat, dims...)
}

func readFloats(c *checkpoint, full string) ([]float32, []int, error) {
	t, err := c.Tensor(full)
	if err != nil {
		return nil, nil, err
	}
	dims := t.Shape().Dimensions
	if t, err = weights.Float32(t); err != nil {
		return nil, nil, fmt.Errorf("%s: tensor %s: %w", c.file, full, err)
	}
	flat, err := tensors.CopyFlatData[float32](t)
	return flat, dims, err
}

// build opens checkpoints, writes a graph by do, and closes them. paths lie in
// the folder of out; marks are a tensor of each, or several of which it has one.
func build(out string, paths, marks []string, do func(n *net)) (err error) {
	n := &net{notes: map[string]string{}}
	n.Net = &onnxwrite.Net{Builder: onnxwrite.New(strings.TrimSuffix(filepath.Base(out), ".onnx"), nil), Weights: n}
	for i, path := range paths {
		if filepath.Dir(path) != filepath.Dir(out) {
			return fmt.Errorf("%s: a graph lies beside its weights, %s", out, path)
		}
		c, err := openCheckpoint(path, marks[i])
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		n.from = append(n.from, c)
	}
	n.Need(Opset)
	do(n)
	if n.err != nil {
		return n.err
	}
	var names []string
	for _, c := range n.from {
		names = append(names, c.file)
	}
	n.notes["weights"] = strings.Join(names, ", ")
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(n.Model(n.notes))
	if err != nil {
		return err
	}
	return files.WriteAtomic(out, func(w io.Writer) error { _, err := w.Write(raw); return err })
}
