package onnximport

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/backend"
	"wsss/models/onnximport/legalise"
	"wsss/models/onnximport/ortref"
	"wsss/models/shapecache"
)

// RunnerOptions bound what a Runner keeps and say what it may do.
type RunnerOptions struct {
	// MaxShapes bounds the compiled graphs that are kept, one per set of input
	// shapes; the least recently used goes. 0 means 4.
	MaxShapes int
	// NoORT forbids falling back to ONNX Runtime.
	NoORT bool
	// Warn is told, once, when the whole model runs through ONNX Runtime
	// because it cannot be legalised. Nil is silent.
	Warn func(msg string)
}

// embedLimit bounds the bytes of convolution weights that are compiled into
// the graph where the engine prefers constants: it can lay them out for its
// kernels. Other weights gain nothing from it and would be held several times.
const embedLimit = 256 << 20

// Runner runs a model on one backend. It is safe for concurrent use; runs
// take turns.
type Runner struct {
	model   *Model
	backend compute.Backend
	opt     RunnerOptions
	store   *model.Store

	mu       sync.Mutex
	byValue  map[string]bool // inputs that shapes depend on
	programs shapecache.Cache[string, *program]
	whole    *ortref.Session

	// Of a graph with ops that are computed apart; empty for others.
	apart map[string]bool // first outputs of their nodes
	steps []step
	parts []shapecache.Cache[string, *part] // of each step
}

// program is one compiled graph.
type program struct {
	exec   *model.Exec
	inputs []string // in the order of the graph's parameters
}

// NewRunner makes a runner of m on b. Nothing is compiled or read yet.
func NewRunner(b compute.Backend, m *Model, opt RunnerOptions) (*Runner, error) {
	if b == nil || m == nil {
		return nil, errors.New("a runner needs a backend and a model")
	}
	if opt.MaxShapes <= 0 {
		opt.MaxShapes = 4
	}
	opt.MaxShapes = backend.GraphsKept(b, opt.MaxShapes)
	return &Runner{model: m, backend: b, opt: opt, store: model.NewStore(),
		byValue: map[string]bool{}, apart: map[string]bool{}, programs: shapecache.Cache[string, *program]{Limit: opt.MaxShapes, Free: func(p *program) { p.exec.Finalize() }}}, nil
}

// Model is what the runner runs.
func (r *Runner) Model() *Model { return r.model }

// Run computes the outputs, by name, for inputs by name. Inputs that the
// wanted outputs do not need may be left out. The first run with new shapes
// compiles; so does the first with new elements of an input on which shapes
// depend, such as the original image size that SAM's decoder crops to.
func (r *Runner) Run(inputs map[string]*tensors.Tensor) (map[string]*tensors.Tensor, error) {
	return r.RunEach(inputs, nil)
}

// ErrWhole is wrapped by RunEach's error where a model runs whole through ONNX
// Runtime, or in steps, which take what the file takes.
var ErrWhole = errors.New("the model takes only what its file does")

// RunEach runs a graph for single items on several at once: the inputs named in
// each have k items along their first axis, the others are shared, and so have
// the results. It is compiled k times over, into one program.
func (r *Runner) RunEach(inputs map[string]*tensors.Tensor, each []string) (map[string]*tensors.Tensor, error) {
	return r.runAs(inputs, each, !r.opt.NoORT)
}

// RunHere is Run, but for an error where the model would run whole through ONNX
// Runtime from now on: for inputs that one can do without, such as several images.
func (r *Runner) RunHere(inputs map[string]*tensors.Tensor) (map[string]*tensors.Tensor, error) {
	return r.runAs(inputs, nil, false)
}

// runAs runs the model; whole allows it to run whole through ONNX Runtime from now on.
func (r *Runner) runAs(inputs map[string]*tensors.Tensor, each []string, whole bool) (map[string]*tensors.Tensor, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.whole != nil {
		if len(each) > 0 {
			return nil, ErrWhole
		}
		return r.runWhole(inputs)
	}
	if err := r.check(inputs); err != nil {
		return nil, err
	}
	var p *program
	var err error
	if len(r.steps) == 0 {
		p, err = r.program(inputs, each)
	}
	switch {
	case len(each) > 0 && err != nil:
		return nil, fmt.Errorf("%w: %w", ErrWhole, err)
	case len(each) > 0 && len(r.steps) > 0:
		return nil, ErrWhole
	case len(r.steps) > 0 || r.divide(err):
		return r.divided(inputs, whole)
	case err != nil:
		return r.fallBack(inputs, err, whole)
	}
	outs, err := r.run(p, inputs)
	if err != nil {
		return nil, fmt.Errorf("%s: on backend %s: %w", r.model.Path(), r.backend.Name(), err)
	}
	res := map[string]*tensors.Tensor{}
	for i, name := range r.model.OutputNames() {
		res[name] = outs[i]
	}
	return res, nil
}

// divided runs a model in steps.
func (r *Runner) divided(inputs map[string]*tensors.Tensor, whole bool) (map[string]*tensors.Tensor, error) {
	out, err := r.runSteps(inputs)
	if failed := (ran{}); err == nil || errors.As(err, &failed) {
		return out, err
	}
	return r.fallBack(inputs, err, whole)
}

// Whole tells whether the model runs whole through ONNX Runtime.
func (r *Runner) Whole() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.whole != nil
}

// Close frees compiled graphs and weights.
func (r *Runner) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.programs.Clear()
	r.clearParts()
	for v := range r.store.IterVariables() {
		_ = v.Finalize()
	}
	r.store = model.NewStore()
	if r.whole != nil {
		r.whole.Close()
		r.whole = nil
	}
}

// check compares inputs with what the model declares.
func (r *Runner) check(inputs map[string]*tensors.Tensor) error {
	declared := map[string]Port{}
	for _, p := range r.model.inputs {
		declared[p.Name] = p
	}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		p, ok := declared[name]
		if !ok {
			return fmt.Errorf("%s: no input %q: allowed are %s", r.model.Path(), name, names(r.model.inputs))
		}
		if t := inputs[name]; t == nil || t.DType() != p.DType {
			return fmt.Errorf("%s: input %q must be a %s tensor", r.model.Path(), name, p.DType)
		}
	}
	return nil
}

func names(ports []Port) string {
	out := make([]string, len(ports))
	for i, p := range ports {
		out[i] = p.Name
	}
	return strings.Join(out, ", ")
}

// program returns the compiled graph for the inputs' shapes.
func (r *Runner) program(inputs map[string]*tensors.Tensor, each []string) (*program, error) {
	for {
		key := r.key(inputs)
		if len(each) > 0 {
			key += fmt.Sprintf(" each %q", each)
		}
		p, err := r.programs.Get(key, func() (*program, error) { return r.compile(inputs, each) })
		if err == nil {
			return p, nil
		}
		if needsApart(err) || !r.learn(needsValues(err), inputs) {
			return nil, err
		}
	}
}

// valueLimit bounds the elements of an input that is compiled in: sizes and
// counts, not images.
const valueLimit = 64

// learn adds inputs that are to be compiled in; false when none is new, or
// one is too large.
func (r *Runner) learn(needed []string, inputs map[string]*tensors.Tensor) bool {
	learnt := false
	for _, name := range needed {
		if t := inputs[name]; t != nil && t.Size() > valueLimit {
			return false
		}
	}
	for _, name := range needed {
		learnt = learnt || !r.byValue[name]
		r.byValue[name] = true
	}
	return learnt
}

// key tells apart what must be compiled apart.
func (r *Runner) key(inputs map[string]*tensors.Tensor) string {
	var sb strings.Builder
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		t := inputs[name]
		fmt.Fprintf(&sb, "%q%v", name, t.Shape().Dimensions)
		if r.byValue[name] {
			_ = t.ConstBytes(func(data []byte) { fmt.Fprintf(&sb, "=%x", data) })
		}
	}
	return sb.String()
}

func (r *Runner) compile(inputs map[string]*tensors.Tensor, each []string) (*program, error) {
	dims := map[string][]int{}
	for name, t := range inputs {
		dims[name] = append([]int{}, t.Shape().Dimensions...)
	}
	copies := 1
	for _, name := range each {
		copies = dims[name][0]
		dims[name][0] = 1
	}
	opt := r.model.legaliseOptions(r.backend, dims)
	for name := range r.byValue {
		if t := inputs[name]; t != nil {
			c, err := constOf(t)
			if err != nil {
				return nil, fmt.Errorf("%s: input %q: %w", r.model.Path(), name, err)
			}
			opt.Values[name] = c
		}
	}
	prog, err := r.model.legalised(opt)
	if err != nil {
		return nil, err
	}
	return r.link(prog, inputs, copies, each)
}

// link compiles prog, with its weights, for tensors of the shapes that are there.
func (r *Runner) link(prog *legalise.Program, have map[string]*tensors.Tensor, copies int, each []string) (*program, error) {
	if err := r.readWeights(prog); err != nil {
		return nil, err
	}
	p := &program{}
	var shape []shapes.Shape
	for _, in := range prog.Inputs {
		t := have[in.Name]
		if t == nil {
			return nil, fmt.Errorf("%s: input %q is missing", r.model.Path(), in.Name)
		}
		p.inputs, shape = append(p.inputs, in.Name), append(shape, t.Shape())
	}
	return p, r.build(p, prog, shape, copies, each)
}

// readWeights loads what the program reads. GoMLX compiles in what does not
// train, on engines that like that.
func (r *Runner) readWeights(prog *legalise.Program) error {
	kernels, total := map[*legalise.Value]bool{}, 0
	for _, n := range prog.Nodes {
		if n.Op == "Conv" && n.In[1].Weight != nil && !kernels[n.In[1]] {
			kernels[n.In[1]] = true
			total += n.In[1].Weight.Bytes()
		}
	}
	scope := r.store.RootScope()
	for _, w := range prog.Weights() {
		v, err := r.model.variable(scope, r.backend, w)
		if err != nil {
			return err
		}
		v.SetTrainable(!kernels[w] || total > embedLimit)
	}
	return nil
}

// build compiles the program, turning panics of graph building into errors.
func (r *Runner) build(p *program, prog *legalise.Program, in []shapes.Shape, copies int, each []string) (err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("%s: on backend %s: %v", r.model.Path(), r.backend.Name(), e)
		}
	}()
	fn := func(scope *model.Scope, g *graph.Graph, params []*graph.Node) []*graph.Node {
		items := make([][]*graph.Node, len(prog.Outputs))
		for k := range copies {
			given := map[string]*graph.Node{}
			for i, name := range p.inputs {
				given[name] = params[i]
				if slices.Contains(each, name) {
					given[name] = graph.SliceAxis(params[i], 0, graph.AxisRange(k, k+1))
				}
			}
			outs, err := r.model.build(scope, g, prog, given, Way{})
			if err != nil {
				panic(err)
			}
			for i, out := range outs {
				items[i] = append(items[i], out)
			}
		}
		joined := make([]*graph.Node, len(items))
		for i, list := range items {
			if joined[i] = list[0]; copies > 1 {
				joined[i] = graph.Concatenate(list, 0)
			}
		}
		return joined
	}
	noInputs := len(in) == 0
	p.exec, err = model.NewExecCanonical(r.backend, r.store, fn, len(in), -1, noInputs, !noInputs, true)
	if err != nil {
		return err
	}
	if _, err := p.exec.Compile(in...); err != nil {
		return fmt.Errorf("%s: on backend %s: %w", r.model.Path(), r.backend.Name(), err)
	}
	return nil
}

// fallBack runs the whole model through ONNX Runtime, where that is allowed.
func (r *Runner) fallBack(inputs map[string]*tensors.Tensor, cause error, allowed bool) (map[string]*tensors.Tensor, error) {
	var large *legalise.TooLarge
	if !allowed || errors.As(cause, &large) || errors.Is(cause, fs.ErrNotExist) || backend.FindORT() == "" {
		return nil, cause // without its data files a model is not to be run by anything
	}
	whole, err := ortref.Open(r.model.Path())
	if err != nil {
		return nil, fmt.Errorf("%w (and ONNX Runtime does not take it either: %v)", cause, err)
	}
	r.whole = whole
	out, err := r.runWhole(inputs)
	if err != nil {
		whole.Close()
		r.whole = nil
		return nil, fmt.Errorf("%w (and ONNX Runtime fails as well: %v)", cause, err)
	}
	if r.opt.Warn != nil {
		r.opt.Warn(fmt.Sprintf("%s runs whole through ONNX Runtime on the CPU, not on backend %s: %v", r.model.base(), r.backend.Name(), cause))
	}
	return out, nil
}

// runWhole runs through ONNX Runtime, which knows graph outputs only.
func (r *Runner) runWhole(inputs map[string]*tensors.Tensor) (map[string]*tensors.Tensor, error) {
	all, err := r.whole.Run(inputs)
	if err != nil {
		return nil, err
	}
	out := map[string]*tensors.Tensor{}
	for _, name := range r.model.OutputNames() {
		if out[name] = all[name]; out[name] == nil {
			return nil, fmt.Errorf("%s: %q is not an output of the graph", r.model.Path(), name)
		}
	}
	return out, nil
}

// run executes a compiled program. Tensors that live on another backend are
// copied: one tensor cannot be on two.
func (r *Runner) run(p *program, inputs map[string]*tensors.Tensor) ([]*tensors.Tensor, error) {
	args := make([]any, len(p.inputs))
	for i, name := range p.inputs {
		t := inputs[name]
		if b, err := t.Backend(); err == nil && b != r.backend {
			if t, err = t.LocalClone(); err != nil {
				return nil, err
			}
			defer t.FinalizeAll()
		}
		args[i] = t
	}
	return p.exec.Exec(args...)
}
