package safetensors

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute/dtypes"
)

// DType is an element type as the header spells it.
type DType string

// kinds maps the spellings to GoMLX types, in the order of the error message.
var kinds = []struct {
	name  DType
	dtype dtypes.DType
	size  int64
}{
	{"F64", dtypes.Float64, 8}, {"F32", dtypes.Float32, 4}, {"F16", dtypes.Float16, 2}, {"BF16", dtypes.BFloat16, 2},
	{"I64", dtypes.Int64, 8}, {"I32", dtypes.Int32, 4}, {"I16", dtypes.Int16, 2}, {"I8", dtypes.Int8, 1},
	{"U64", dtypes.Uint64, 8}, {"U32", dtypes.Uint32, 4}, {"U16", dtypes.Uint16, 2}, {"U8", dtypes.Uint8, 1},
	{"BOOL", dtypes.Bool, 1},
}

// Size is the number of bytes of one element, 0 for an unknown type.
func (d DType) Size() int64 {
	for _, k := range kinds {
		if k.name == d {
			return k.size
		}
	}
	return 0
}

// GoMLX is the type in GoMLX; an error for an unknown one.
func (d DType) GoMLX() (dtypes.DType, error) {
	var names []string
	for _, k := range kinds {
		if k.name == d {
			return k.dtype, nil
		}
		names = append(names, string(k.name))
	}
	return dtypes.InvalidDType, fmt.Errorf("type %q is unknown: allowed are %s", d, strings.Join(names, ", "))
}

func dtypeOf(t dtypes.DType) (DType, error) {
	for _, k := range kinds {
		if k.dtype == t {
			return k.name, nil
		}
	}
	return "", fmt.Errorf("type %s has no safetensors spelling", t)
}
