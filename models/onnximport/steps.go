package onnximport

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
	"wsss/models/onnximport/legalise"
	"wsss/models/shapecache"
)

// step is the part of a graph up to ops that must be computed apart, such as
// NonMaxSuppression, whose result has a shape that only its elements tell.
type step struct {
	makes []string            // values that later steps, or the caller, need
	apart []*protos.NodeProto // computed behind it
}

// A value belongs to the step that makes it; one that no input of the graph
// changes belongs to every step that needs it.
const everyStep = -1

// steps divides the graph at the nodes with these first outputs.
func (m *Model) steps(apart map[string]bool) []step {
	g := m.file.Proto.Graph
	of, there := map[string]int{}, map[string]bool{}
	for _, p := range m.inputs {
		of[p.Name], there[p.Name] = 0, true
	}
	list := make([]step, 1)
	need := func(name string, by int) {
		if at, ok := of[name]; ok && at != everyStep && at < by && !there[name] && !slices.Contains(list[at].makes, name) {
			list[at].makes = append(list[at].makes, name)
		}
	}
	for _, n := range legalise.Reachable(g, m.OutputNames()) {
		at := everyStep
		uses := legalise.Uses(n)
		for _, name := range uses {
			if k, ok := of[name]; ok {
				at = max(at, k)
			}
		}
		divides := apart[n.Output[0]]
		if divides {
			at = max(at, 0)
			list[at].apart = append(list[at].apart, n)
			if len(list) == at+1 {
				list = append(list, step{})
			}
			for _, name := range uses { // initializers and constants, too
				if k, ok := of[name]; name != "" && (!ok || k == everyStep) && !slices.Contains(list[at].makes, name) {
					list[at].makes = append(list[at].makes, name)
				}
			}
			at++
		}
		for _, name := range uses {
			need(name, at)
		}
		for _, name := range n.Output {
			of[name] = at
			there[name] = there[name] || divides
		}
	}
	for _, name := range m.OutputNames() {
		at, ok := of[name]
		if at = max(at, 0); ok && there[name] || slices.Contains(list[at].makes, name) {
			continue
		}
		list[at].makes = append(list[at].makes, name)
	}
	return list
}

// part is a compiled step.
type part struct {
	program *program          // nil where all that the step makes is known beforehand
	made    []*legalise.Value // in the order of step.makes
}

// keptCounts bounds the compiled parts behind an op that is computed apart: one
// per count that came out of it.
const keptCounts = 16

// needsApart tells whether err is about an op that should rather be computed apart
// than compiled for each value of its operands.
func needsApart(err error) bool {
	var need *legalise.NeedsValue
	return errors.As(err, &need) && need.Apart != "" && need.Op == "NonMaxSuppression"
}

// divide has the runner run the model in one step more, where err is about an op
// that can be computed apart.
func (r *Runner) divide(err error) bool {
	var need *legalise.NeedsValue
	if !errors.As(err, &need) || need.Apart == "" || r.apart[need.Apart] {
		return false
	}
	r.apart[need.Apart] = true
	r.clearParts()
	r.steps = r.model.steps(r.apart)
	r.parts = make([]shapecache.Cache[string, *part], len(r.steps))
	for i := range r.parts {
		r.parts[i].Limit, r.parts[i].Free = r.opt.MaxShapes, (*part).free
		if i > 0 {
			r.parts[i].Limit = backend.GraphsKept(r.backend, keptCounts)
		}
	}
	return true
}

func (p *part) free() {
	if p.program != nil {
		p.program.exec.Finalize()
	}
}

func (r *Runner) clearParts() {
	for i := range r.parts {
		r.parts[i].Clear()
	}
}

// ran is the error of a graph that was taken and failed when it ran.
type ran struct{ error }

func (e ran) Unwrap() error { return e.error }

// flow is one run through the steps.
type flow struct {
	r     *Runner
	have  map[string]*tensors.Tensor // the inputs, and what was made
	known map[string]*legalise.Value // what was made, with the elements that are known beforehand
	made  []*tensors.Tensor          // to be freed
	key   string                     // what must be compiled apart
}

// runSteps runs a divided model. The error is a ran where that is not for
// want of an op.
func (r *Runner) runSteps(inputs map[string]*tensors.Tensor) (map[string]*tensors.Tensor, error) {
	for {
		f := &flow{r: r, have: maps.Clone(inputs), known: map[string]*legalise.Value{}, key: r.key(inputs)}
		out, err := f.run()
		f.free(out)
		if err == nil || !r.divide(err) && !r.learn(needsValues(err), f.have) {
			return out, err
		}
	}
}

func (f *flow) run() (map[string]*tensors.Tensor, error) {
	for i, s := range f.r.steps {
		if len(s.makes) > 0 {
			if err := f.step(i, s); err != nil {
				return nil, err
			}
		}
		for _, n := range s.apart {
			if err := f.compute(n); err != nil {
				return nil, ran{fmt.Errorf("%s: node %q (%s): %w", f.r.model.Path(), n.Name, n.OpType, err)}
			}
		}
	}
	out := map[string]*tensors.Tensor{}
	for _, name := range f.r.model.OutputNames() {
		t := f.have[name]
		if v := f.known[name]; t == nil && v != nil {
			made, err := tensorOf(v)
			if err != nil {
				return nil, ran{err}
			}
			t = made
		}
		if t == nil {
			return nil, fmt.Errorf("%s: nothing makes %q", f.r.model.Path(), name)
		}
		if !slices.Contains(f.made, t) && f.known[name] == nil { // an input passed through
			clone, err := t.LocalClone()
			if err != nil {
				return nil, ran{err}
			}
			t = clone
		}
		out[name] = t
	}
	return out, nil
}

// step runs step i.
func (f *flow) step(i int, s step) error {
	p, err := f.r.parts[i].Get(f.key, func() (*part, error) { return f.compile(s) })
	if err != nil {
		return err
	}
	var outs []*tensors.Tensor
	if p.program != nil {
		if outs, err = f.r.run(p.program, f.have); err != nil {
			return ran{fmt.Errorf("%s: on backend %s: %w", f.r.model.Path(), f.r.backend.Name(), err)}
		}
		f.made = append(f.made, outs...)
	}
	for j, v := range p.made {
		name := s.makes[j]
		f.known[name] = v
		if v.Const != nil {
			continue
		}
		f.have[name], outs = outs[0], outs[1:]
		if f.r.byValue[name] {
			c, err := constOf(f.have[name])
			if err != nil {
				return err
			}
			f.key += fmt.Sprintf(" %q=%v%v", name, c.Ints, c.Floats)
		}
	}
	return nil
}

// compile makes the program of a step for what is there.
func (f *flow) compile(s step) (*part, error) {
	r := f.r
	dims := map[string][]int{}
	for _, p := range r.model.inputs {
		if t := f.have[p.Name]; t != nil {
			dims[p.Name] = append([]int{}, t.Shape().Dimensions...)
		}
	}
	opt := r.model.legaliseOptions(r.backend, dims)
	opt.Outputs, opt.Given = s.makes, map[string]*legalise.Value{}
	for name, v := range f.known {
		given := *v
		opt.Given[name] = &given
	}
	for name := range r.byValue {
		t := f.have[name]
		if t == nil {
			continue
		}
		c, err := constOf(t)
		if err != nil {
			return nil, fmt.Errorf("%s: input %q: %w", r.model.Path(), name, err)
		}
		if v := opt.Given[name]; v != nil {
			v.Const = c
		} else {
			opt.Values[name] = c
		}
	}
	prog, err := r.model.legalised(opt)
	if err != nil {
		return nil, err
	}
	p := &part{}
	for _, v := range prog.Outputs {
		p.made = append(p.made, &legalise.Value{DType: v.DType, Dims: v.Dims, Const: v.Const})
	}
	prog.Outputs = slices.DeleteFunc(prog.Outputs, func(v *legalise.Value) bool { return v.Const != nil })
	if len(prog.Outputs) == 0 {
		return p, nil
	}
	p.program, err = r.link(prog, f.have, 1, nil)
	return p, err
}

// compute runs an op apart.
func (f *flow) compute(n *protos.NodeProto) error {
	in := make([]*legalise.Value, len(n.Input))
	for i, name := range n.Input {
		if name == "" {
			continue
		}
		if v := f.known[name]; v != nil && v.Const != nil {
			in[i] = v
			continue
		}
		t := f.have[name]
		if t == nil {
			return fmt.Errorf("operand %q is missing", name)
		}
		var err error
		if in[i], err = valueOf(t); err != nil {
			return err
		}
	}
	out, err := legalise.Compute(n, in)
	if err != nil {
		return err
	}
	for i, name := range n.Output {
		if name == "" || i >= len(out) {
			continue
		}
		v := out[i]
		f.key += fmt.Sprintf(" %q%v", name, v.Dims)
		if v.Len() == 0 {
			f.known[name] = v
			continue
		}
		t, err := tensorOf(v)
		if err != nil {
			return err
		}
		f.made = append(f.made, t)
		f.have[name] = t
		f.known[name] = &legalise.Value{DType: v.DType, Dims: v.Dims}
		if f.r.byValue[name] {
			f.key += fmt.Sprintf("=%v", v.Const.Ints)
		}
	}
	return nil
}

// free frees what was made, but for the results.
func (f *flow) free(results map[string]*tensors.Tensor) {
	for _, t := range f.made {
		kept := false
		for _, r := range results {
			kept = kept || r == t
		}
		if !kept {
			t.FinalizeAll()
		}
	}
}
