package weights

import (
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
)

// Renamed is src with other names: rename gives the one of each tensor, and no two
// the same.
func Renamed(src Source, rename func(tensor string) string) Source {
	r := &renamed{Source: src, stored: map[string]string{}}
	for _, name := range src.Names() {
		to := rename(name)
		r.names, r.stored[to] = append(r.names, to), name
	}
	slices.Sort(r.names)
	return r
}

type renamed struct {
	Source
	names  []string
	stored map[string]string // what each is called in the file
}

func (r *renamed) Names() []string { return slices.Clone(r.names) }

func (r *renamed) find(name string) string {
	if stored, ok := r.stored[name]; ok {
		return stored
	}
	return name
}

func (r *renamed) Shape(name string) ([]int, error) { return r.Source.Shape(r.find(name)) }

func (r *renamed) Tensor(name string) (*tensors.Tensor, error) { return r.Source.Tensor(r.find(name)) }
