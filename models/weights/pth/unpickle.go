package pth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"wsss/data/pickle"
)

// storageTypes are PyTorch's storage classes.
var storageTypes = map[string]dtypes.DType{
	"torch.FloatStorage": dtypes.Float32, "torch.DoubleStorage": dtypes.Float64,
	"torch.HalfStorage": dtypes.Float16, "torch.BFloat16Storage": dtypes.BFloat16,
	"torch.LongStorage": dtypes.Int64, "torch.IntStorage": dtypes.Int32, "torch.ShortStorage": dtypes.Int16,
	"torch.CharStorage": dtypes.Int8, "torch.ByteStorage": dtypes.Uint8, "torch.BoolStorage": dtypes.Bool,
}

// What bounds the search for tensors: the dictionaries between the root and a
// tensor, and the values looked at, because a pickle may hold one dictionary in
// many places.
const (
	maxNesting = 16
	maxVisits  = 1 << 20
)

// unpickler makes tensors and their storages.
type unpickler struct{ storages map[string]*storage }

func newUnpickler() *unpickler { return &unpickler{storages: map[string]*storage{}} }

func (u *unpickler) read(in []byte) (any, []byte, error) {
	return pickle.Reader{Construct: construct, Persistent: u.persistent}.Read(in)
}

// persistent reads ("storage", class, key, device, size[, view]).
func (u *unpickler) persistent(id any) (any, error) {
	t, ok := id.(*pickle.Tuple)
	if !ok || len(t.Items) < 5 || text(t.Items[0]) != "storage" {
		return nil, errors.New("checkpoint refers to something that is not a storage")
	}
	class, ok1 := t.Items[1].(pickle.Global)
	size, ok2 := t.Items[4].(int64)
	if !ok1 || !ok2 || size < 0 || size > 1<<40 {
		return nil, errors.New("checkpoint has a malformed storage")
	}
	if len(t.Items) > 5 && t.Items[5] != nil {
		return nil, errors.New("checkpoint has a storage that is a view of another, as PyTorch before 0.4 wrote them")
	}
	dtype, ok := storageTypes[string(class)]
	if !ok {
		return nil, fmt.Errorf("checkpoint has values of type %s, which are not read", class)
	}
	s := &storage{key: text(t.Items[2]), dtype: dtype, size: size}
	if old := u.storages[s.key]; old != nil {
		if *old != *s {
			return nil, fmt.Errorf("checkpoint describes the storage %q twice, differently", s.key)
		}
		return old, nil
	}
	u.storages[s.key] = s
	return s, nil
}

// construct makes tensors and parameters.
func construct(name string, args []any) (any, error) {
	switch name {
	case "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor":
		return newTensor(args)
	case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
		if len(args) > 0 {
			if t, ok := args[0].(*tensor); ok {
				return t, nil
			}
		}
		return nil, errors.New("checkpoint has a parameter without a tensor")
	}
	return nil, nil
}

// maxRank bounds the rank of a tensor: NumPy's bound.
const maxRank = 64

// newTensor reads (storage, offset, shape, strides, …) and checks that the
// view stays inside the storage.
func newTensor(args []any) (any, error) {
	bad := errors.New("checkpoint has a malformed tensor")
	if len(args) < 4 {
		return nil, bad
	}
	s, ok1 := args[0].(*storage)
	offset, ok2 := args[1].(int64)
	shape, ok3 := sizes(args[2])
	strides, ok4 := sizes(args[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || len(shape) != len(strides) || offset < 0 || offset > s.size {
		return nil, bad
	}
	t := &tensor{storage: s, offset: offset, strides: strides}
	if len(shape) > maxRank {
		return nil, fmt.Errorf("checkpoint has a tensor of rank %d: allowed up to %d", len(shape), maxRank)
	}
	for _, n := range shape {
		t.shape = append(t.shape, int(n))
	}
	if slices.Contains(shape, 0) {
		return t, nil
	}
	count, room := int64(1), s.size-1-offset // elements; how far the last one may lie from the first
	for axis, n := range shape {
		if count > s.size/n {
			return nil, fmt.Errorf("checkpoint has a tensor %v with more elements than its storage of %d", shape, s.size)
		}
		count *= n
		if n > 1 && strides[axis] > 0 && n-1 > max(room, 0)/strides[axis] {
			room = -1
			break
		}
		room -= (n - 1) * strides[axis]
	}
	if room < 0 {
		return nil, fmt.Errorf("checkpoint has a tensor %v that ends behind its storage of %d elements", shape, s.size)
	}
	return t, nil
}

// sizes reads a tuple of at most 16 sizes below 2⁴⁰.
func sizes(v any) ([]int64, bool) {
	t, ok := v.(*pickle.Tuple)
	if !ok || len(t.Items) > 16 {
		return nil, false
	}
	out := make([]int64, len(t.Items))
	for i, item := range t.Items {
		n, ok := item.(int64)
		if !ok || n < 0 || n > 1<<40 {
			return nil, false
		}
		out[i] = n
	}
	return out, true
}

// collect names the tensors below v.
func (r *Reader) collect(prefix string, v any, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("checkpoint nests its tensors deeper than %d", maxNesting)
	}
	if r.visits--; r.visits < 0 {
		return fmt.Errorf("checkpoint has more than %d values", maxVisits)
	}
	switch v := v.(type) {
	case *tensor:
		name := strings.TrimSuffix(prefix, ".")
		if _, dup := r.tensors[name]; dup {
			return fmt.Errorf("checkpoint names two tensors %q", name)
		}
		r.tensors[name] = v
	case *pickle.Dict:
		for i, k := range v.Keys {
			if err := r.collect(prefix+text(k)+".", v.Values[i], depth+1); err != nil {
				return err
			}
		}
	case *pickle.Opaque: // a module of TorchScript, whose attributes are its state
		if strings.HasPrefix(v.Name, "__torch__.") {
			return r.collect(prefix, v.State, depth+1)
		}
	case []any:
		for i, item := range v {
			if err := r.collect(fmt.Sprintf("%s%d.", prefix, i), item, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// text is a key as text; Python 2 pickles names as bytes.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}

// describe says what the root of a checkpoint is instead of a dictionary.
func describe(v any) string {
	switch v := v.(type) {
	case *pickle.Opaque:
		return "a pickled object of class " + v.Name
	case *pickle.Dict:
		return fmt.Sprintf("a dictionary of %d other values", len(v.Keys))
	}
	return fmt.Sprintf("a %T", v)
}
