// Package ortref runs whole ONNX files through ONNX Runtime on the CPU: the
// reference that imported models are compared with, and the fallback for
// graphs that cannot be legalised.
package ortref

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/tensors"
	ort "github.com/yalue/onnxruntime_go"

	"wsss/models/backend"
	"wsss/models/onnximport/onnxfile"
)

// Session is a model loaded by ONNX Runtime.
type Session struct {
	path            string
	inputs, outputs []ort.InputOutputInfo
	session         *ort.DynamicAdvancedSession
}

var start = sync.OnceValue(func() error {
	lib := backend.FindORT()
	if lib == "" {
		return errors.New("ONNX Runtime is not found: run `wsss doctor`")
	}
	if ort.IsInitialized() {
		return nil
	}
	ort.SetSharedLibraryPath(lib)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return err
	}
	return ort.DisableTelemetry()
})

// Open loads the model at path, external data included.
func Open(path string) (*Session, error) {
	if err := start(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	in, out, err := ort.GetInputOutputInfo(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	opt, err := optionsFor(path)
	if err != nil {
		return nil, err
	}
	defer opt.Destroy()
	s := &Session{path: path, inputs: in, outputs: out}
	s.session, err = ort.NewDynamicAdvancedSession(path, namesOf(in), namesOf(out), opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// optionsFor are those of a session for the model at path: of one thread where a
// ScatterND adds, multiplies or compares, whose threads would lose updates of each
// other (docs/upstream.md).
func optionsFor(path string) (*ort.SessionOptions, error) {
	file, err := onnxfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	opt, err := ort.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if file.Any(reduces) {
		err = opt.SetIntraOpNumThreads(1)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), opt.Destroy())
	}
	return opt, nil
}

func reduces(n *protos.NodeProto) bool {
	return n.OpType == "ScatterND" && slices.ContainsFunc(n.Attribute, func(a *protos.AttributeProto) bool {
		return a.Name == "reduction" && string(a.S) != "none"
	})
}

func namesOf(ports []ort.InputOutputInfo) []string {
	out := make([]string, len(ports))
	for i, p := range ports {
		out[i] = p.Name
	}
	return out
}

// Close frees the model.
func (s *Session) Close() { _ = s.session.Destroy() }

// Run computes all outputs of the file. Half-precision inputs and outputs
// pass as float32.
func (s *Session) Run(inputs map[string]*tensors.Tensor) (map[string]*tensors.Tensor, error) {
	return s.RunSized(inputs, nil)
}

// RunSized is Run for outputs of these sizes: half-precision outputs whose
// shape the file leaves open need them.
func (s *Session) RunSized(inputs map[string]*tensors.Tensor, sizes map[string][]int) (map[string]*tensors.Tensor, error) {
	out, err := s.run(inputs, sizes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return out, nil
}

func (s *Session) run(inputs map[string]*tensors.Tensor, sizes map[string][]int) (map[string]*tensors.Tensor, error) {
	if len(s.inputs) == 0 {
		return nil, errors.New("a model without inputs")
	}
	in := make([]ort.Value, len(s.inputs))
	defer func() {
		for _, v := range in {
			if v != nil {
				_ = v.Destroy()
			}
		}
	}()
	for i, port := range s.inputs {
		t := inputs[port.Name]
		if t == nil {
			return nil, fmt.Errorf("input %q is missing", port.Name)
		}
		v, err := toORT(t, port.DataType)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", port.Name, err)
		}
		in[i] = v
	}
	out, err := s.outputsFor(in, sizes)
	if err != nil {
		return nil, err
	}
	res := map[string]*tensors.Tensor{}
	for i, v := range out {
		t, err := fromORT(v)
		_ = v.Destroy()
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", s.outputs[i].Name, err)
		}
		res[s.outputs[i].Name] = t
	}
	return res, nil
}

// outputsFor runs the session. The bindings can allocate neither scalars nor
// half-precision outputs: those are prepared where their shape is declared,
// and where that may be what failed, outputs without dimensions are tried as
// scalars.
func (s *Session) outputsFor(in []ort.Value, sizes map[string][]int) ([]ort.Value, error) {
	out := make([]ort.Value, len(s.outputs))
	if err := s.prepare(out, sizes, false); err != nil {
		return nil, err
	}
	err := s.session.Run(in, out)
	if err == nil {
		return out, nil
	}
	clear(out)
	if s.prepare(out, sizes, true) == nil && s.session.Run(in, out) == nil {
		return out, nil
	}
	return nil, err
}

// prepare allocates the outputs that the bindings cannot.
func (s *Session) prepare(out []ort.Value, sizes map[string][]int, scalars bool) error {
	for i, o := range s.outputs {
		var err error
		dims := o.Dimensions
		if own := sizes[o.Name]; len(own) > 0 {
			dims = make(ort.Shape, len(own))
			for k, d := range own {
				dims[k] = int64(d)
			}
		}
		switch {
		case o.DataType == ort.TensorElementDataTypeFloat16 && len(dims) > 0 && slices.Min(dims) > 0:
			out[i], err = ort.NewCustomDataTensor(dims, make([]byte, 2*dims.FlattenedSize()), o.DataType)
		case o.DataType == ort.TensorElementDataTypeFloat16 && len(dims) > 0:
			err = fmt.Errorf("output %q is of half precision and open shape, which needs an export with float32 outputs or a fixed size", o.Name)
		case !scalars || len(o.Dimensions) > 0:
		case o.DataType == ort.TensorElementDataTypeFloat:
			out[i], err = ort.NewEmptyScalar[float32]()
		case o.DataType == ort.TensorElementDataTypeInt64:
			out[i], err = ort.NewEmptyScalar[int64]()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// toORT copies a tensor into ONNX Runtime's form, with the element type that
// the model declares.
func toORT(t *tensors.Tensor, want ort.TensorElementDataType) (ort.Value, error) {
	dims := make(ort.Shape, t.Rank())
	for i, d := range t.Shape().Dimensions {
		dims[i] = int64(d)
	}
	var v ort.Value
	var err error
	readErr := t.ConstFlatData(func(flat any) {
		switch x := flat.(type) {
		case []float32:
			if want == ort.TensorElementDataTypeFloat16 {
				v, err = halfTensor(dims, x)
				return
			}
			v, err = newTensor(dims, x)
		case []float64:
			v, err = newTensor(dims, x)
		case []int64:
			v, err = newTensor(dims, x)
		case []int32:
			v, err = newTensor(dims, x)
		case []int8:
			v, err = newTensor(dims, x)
		case []uint8:
			v, err = newTensor(dims, x)
		case []bool:
			v, err = newTensor(dims, x)
		default:
			err = fmt.Errorf("elements of type %T", flat)
		}
	})
	return v, errors.Join(readErr, err)
}

func newTensor[T ort.TensorData](dims ort.Shape, x []T) (ort.Value, error) {
	if len(dims) == 0 {
		return ort.NewScalar(x[0])
	}
	return ort.NewTensor(dims, append([]T(nil), x...))
}

func halfTensor(dims ort.Shape, x []float32) (ort.Value, error) {
	if len(dims) == 0 {
		return nil, errors.New("a half-precision scalar")
	}
	data := make([]byte, 2*len(x))
	for i, f := range x {
		bits := float16.FromFloat32(f).Bits()
		data[2*i], data[2*i+1] = byte(bits), byte(bits>>8)
	}
	return ort.NewCustomDataTensor(dims, data, ort.TensorElementDataTypeFloat16)
}

// fromORT copies a result into a tensor.
func fromORT(v ort.Value) (*tensors.Tensor, error) {
	dims := make([]int, len(v.GetShape()))
	for i, d := range v.GetShape() {
		dims[i] = int(d)
	}
	switch t := v.(type) {
	case *ort.Tensor[float32]:
		return tensors.FromFlatDataAndDimensions(t.GetData(), dims...), nil
	case *ort.Tensor[float64]:
		return tensors.FromFlatDataAndDimensions(t.GetData(), dims...), nil
	case *ort.Tensor[int64]:
		return tensors.FromFlatDataAndDimensions(t.GetData(), dims...), nil
	case *ort.Tensor[int32]:
		return tensors.FromFlatDataAndDimensions(t.GetData(), dims...), nil
	case *ort.Tensor[int8]:
		return tensors.FromFlatDataAndDimensions(t.GetData(), dims...), nil
	case *ort.Tensor[uint8]:
		return tensors.FromFlatDataAndDimensions(t.GetData(), dims...), nil
	case *ort.Tensor[bool]:
		return tensors.FromFlatDataAndDimensions(t.GetData(), dims...), nil
	case *ort.Scalar[float32]:
		return tensors.FromScalar(t.GetData()), nil
	case *ort.Scalar[int64]:
		return tensors.FromScalar(t.GetData()), nil
	case *ort.CustomDataTensor:
		data := t.GetData()
		wide := make([]float32, len(data)/2)
		for i := range wide {
			wide[i] = float16.FromBits(uint16(data[2*i]) | uint16(data[2*i+1])<<8).Float32()
		}
		return tensors.FromFlatDataAndDimensions(wide, dims...), nil
	}
	return nil, fmt.Errorf("values of type %T", v)
}
