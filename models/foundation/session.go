// Package foundation is what the foundation models share: the Session that
// runs an imported graph. Each family has a sub-package that knows its
// preprocessing, prompts and post-processing: sam, gdino, clip, ram, blip2.
package foundation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Port is an input or output of a graph.
type Port struct {
	Name  string
	DType dtypes.DType
	Dims  []int // -1 where the size is dynamic
}

// Session runs one imported model. It is safe for concurrent use.
type Session interface {
	Inputs() []Port
	Outputs() []Port
	// Run computes the outputs named in want, all of them when none is named.
	// The caller owns the results. Work that only other outputs need is left
	// out, and inputs that only those need may be missing.
	Run(ctx context.Context, inputs map[string]*tensors.Tensor, want ...string) (map[string]*tensors.Tensor, error)
}

// Repeater is a Session that runs a graph for single items on several at once:
// inputs named in each have that many times their first axis, as the results have;
// the others are shared.
type Repeater interface {
	RunEach(ctx context.Context, inputs map[string]*tensors.Tensor, each []string, want ...string) (map[string]*tensors.Tensor, error)
}

// Batcher is a Session that may refuse inputs rather than run the model elsewhere from
// then on: what has several items is asked for so.
type Batcher interface {
	RunHere(ctx context.Context, inputs map[string]*tensors.Tensor, want ...string) (map[string]*tensors.Tensor, error)
}

// ErrOneByOne is wrapped by RunEach's error where a graph runs on one item alone.
var ErrOneByOne = errors.New("the model takes one item at a time")

// Find returns the port with this name.
func Find(ports []Port, name string) (Port, bool) {
	for _, p := range ports {
		if p.Name == name {
			return p, true
		}
	}
	return Port{}, false
}

// Has tells whether all names are among the ports.
func Has(ports []Port, names ...string) bool {
	for _, n := range names {
		if _, ok := Find(ports, n); !ok {
			return false
		}
	}
	return true
}

// Names joins the ports' names, for errors.
func Names(ports []Port) string {
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}

// CheckFloats checks that a result is float32 of a rank.
func CheckFloats(out map[string]*tensors.Tensor, name string, rank int) error {
	t, ok := out[name]
	if !ok || t == nil {
		return fmt.Errorf("the model gave no output %q", name)
	}
	if t.DType() != dtypes.Float32 || t.Rank() != rank {
		return fmt.Errorf("output %q is %s: wanted float32 of rank %d", name, t.Shape(), rank)
	}
	return nil
}

// Floats copies a float32 result to the host and frees it; it checks the rank.
func Floats(out map[string]*tensors.Tensor, name string, rank int) (values []float32, dims []int, err error) {
	if err := CheckFloats(out, name, rank); err != nil {
		return nil, nil, err
	}
	t := out[name]
	dims = append(dims, t.Shape().Dimensions...)
	if values, err = tensors.CopyFlatData[float32](t); err != nil {
		return nil, nil, err
	}
	return values, dims, t.FinalizeAll()
}

// Free releases tensors at once, where the collector would let device memory
// pile up. Call it after the results are read.
func Free(list map[string]*tensors.Tensor) {
	for _, t := range list {
		_ = t.FinalizeAll() // memory that cannot be freed now is freed later
	}
}
