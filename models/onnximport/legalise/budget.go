package legalise

import (
	"fmt"
	"slices"

	"wsss/models/onnximport/onnxfile"
)

// Bounds on what a graph may need to run: they hold on every engine, and are
// checked while shapes are inferred, before anything is allocated. The largest
// published models stay below half of them.
const (
	maxTensor = 1<<31 - 1 // bytes of one value
	maxLive   = 8 << 30   // bytes of the values that are needed at one time, weights apart
)

// TooLarge is the error of a graph that would need more memory than is
// allowed, whatever runs it.
type TooLarge struct {
	What         string
	Bytes, Limit int64
}

func (e *TooLarge) Error() string {
	return fmt.Sprintf("%s takes %.1f GB: allowed are %.1f GB", e.What, float64(e.Bytes)/1e9, float64(e.Limit)/1e9)
}

// bytesOf is what a value takes in memory.
func bytesOf(v *Value) int64 { return int64(v.Len()) * int64(onnxfile.ElemBytes(v.DType)) }

// bound ends the work where v is larger than a value may be.
func bound(v *Value) {
	_, err := onnxfile.Size(v.Dims)
	fail(err)
	if n := bytesOf(v); n > maxTensor {
		fail(&TooLarge{fmt.Sprintf("a value of shape %v", v.Dims), n, maxTensor})
	}
}

// boundLive ends the work where the values of a program that are needed at one
// time are more than they may be: each lives from its node to its last use,
// inputs and outputs from beginning to end.
func boundLive(p *Program) error {
	last := map[*Value]int{}
	for i, n := range p.Nodes {
		for _, v := range n.In {
			if v != nil {
				last[v] = i
			}
		}
	}
	live := int64(0)
	keep := func(v *Value) {
		if v.Weight == nil {
			live += bytesOf(v)
		}
		last[v] = len(p.Nodes)
	}
	for _, v := range p.Inputs {
		keep(v)
	}
	for _, v := range p.Outputs {
		if last[v] < len(p.Nodes) {
			keep(v)
		}
	}
	for i, n := range p.Nodes {
		for _, v := range n.Out {
			if last[v] < len(p.Nodes) {
				live += bytesOf(v)
			}
		}
		if live > maxLive {
			return &TooLarge{fmt.Sprintf("the graph, at node %q (%s),", n.Name, n.Op), live, maxLive}
		}
		free := map[*Value]bool{}
		for _, v := range slices.Concat(n.In, n.Out) {
			if v != nil && v.Weight == nil && v.Const == nil && last[v] <= i && !free[v] {
				free[v] = true
				live -= bytesOf(v)
			}
		}
	}
	return nil
}
