// Package weights is where networks get their values from: weight files of
// any format behind one small interface. Each format has its own sub-package.
package weights

import "github.com/gomlx/gomlx/core/tensors"

// Source is an opened weight file: named tensors, read one at a time so that
// memory stays bounded by the largest of them.
type Source interface {
	// Names lists the tensors, sorted.
	Names() []string
	// Shape returns the dimensions of a tensor without reading its values;
	// the error names the file and the tensor.
	Shape(name string) ([]int, error)
	// Tensor reads one tensor in its stored type. The caller owns it.
	Tensor(name string) (*tensors.Tensor, error)
	Close() error
}
