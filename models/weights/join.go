package weights

import (
	"fmt"
	"slices"
	"sort"

	"github.com/gomlx/gomlx/core/tensors"
)

// Part says where a tensor belongs that a file keeps apart and a network
// together, as kernels of query, key and value.
type Part struct {
	Whole string // the name of the joined tensor
	At    int    // place among the parts, from 0
	Of    int    // how many there are
}

// Joined is src with the parts that find names joined along their first axis,
// as float32. Where a part is missing, the others stay as they are.
func Joined(src Source, find func(tensor string) (Part, bool)) Source {
	j := &joined{Source: src, parts: map[string][]string{}}
	for _, name := range src.Names() {
		p, ok := find(name)
		if !ok {
			continue
		}
		if j.parts[p.Whole] == nil {
			j.parts[p.Whole] = make([]string, p.Of)
		}
		j.parts[p.Whole][p.At] = name
	}
	hidden := map[string]bool{}
	for whole, parts := range j.parts {
		if slices.Contains(parts, "") {
			delete(j.parts, whole)
			continue
		}
		for _, name := range parts {
			hidden[name] = true
		}
		j.names = append(j.names, whole)
	}
	for _, name := range src.Names() {
		if !hidden[name] {
			j.names = append(j.names, name)
		}
	}
	sort.Strings(j.names)
	return j
}

type joined struct {
	Source
	names []string
	parts map[string][]string // of a joined tensor
}

func (j *joined) Names() []string { return slices.Clone(j.names) }

func (j *joined) Shape(name string) ([]int, error) {
	parts := j.parts[name]
	if parts == nil {
		return j.Source.Shape(name)
	}
	var all []int
	for _, part := range parts {
		s, err := j.Source.Shape(part)
		if err != nil {
			return nil, err
		}
		switch {
		case len(s) == 0 || all != nil && !slices.Equal(s[1:], all[1:]):
			return nil, fmt.Errorf("tensors %q and %q have shapes %v and %v, which cannot be joined", parts[0], part, all, s)
		case all == nil:
			all = slices.Clone(s)
		default:
			all[0] += s[0]
		}
	}
	return all, nil
}

func (j *joined) Tensor(name string) (*tensors.Tensor, error) {
	parts := j.parts[name]
	if parts == nil {
		return j.Source.Tensor(name)
	}
	shape, err := j.Shape(name)
	if err != nil {
		return nil, err
	}
	var flat []float32
	for _, part := range parts {
		t, err := j.Source.Tensor(part)
		if err == nil {
			t, err = Float32(t)
		}
		if err != nil {
			return nil, err
		}
		if err := tensors.ConstFlatData(t, func(v []float32) { flat = append(flat, v...) }); err != nil {
			return nil, err
		}
	}
	return tensors.FromFlatDataAndDimensions(flat, shape...), nil
}
