package weightstest

import (
	"errors"
	"maps"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
)

// Memory is a weights.Source of tensors in memory.
type Memory map[string]*tensors.Tensor

// Names, Shape, Tensor and Close are weights.Source's.
func (m Memory) Names() []string                             { return slices.Sorted(maps.Keys(m)) }
func (m Memory) Shape(name string) ([]int, error)            { return m[name].Shape().Dimensions, nil }
func (m Memory) Tensor(name string) (*tensors.Tensor, error) { return m[name], nil }
func (m Memory) Close() error                                { return nil }

// Shaped is a weights.Source of names and shapes alone.
type Shaped map[string][]int

// Names, Shape, Tensor and Close are weights.Source's.
func (s Shaped) Names() []string                        { return slices.Sorted(maps.Keys(s)) }
func (s Shaped) Shape(name string) ([]int, error)       { return s[name], nil }
func (s Shaped) Tensor(string) (*tensors.Tensor, error) { return nil, errors.New("no values") }
func (s Shaped) Close() error                           { return nil }
