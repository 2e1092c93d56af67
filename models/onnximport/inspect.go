package onnximport

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/models/onnximport/legalise"
	"wsss/models/onnximport/onnxfile"
)

// Report is what Inspect finds out about a model.
type Report struct {
	Path            string
	Producer        string
	Notes           map[string]string // that the maker left in the file
	IR, Opset       int64
	Inputs, Outputs []Port
	Nodes           int // in the file, sub-graphs included
	Weights         int
	WeightBytes     int64 // in memory: half precision counts as float32

	Ops       map[string]int   // ops of the file, sub-graphs included
	Shapes    map[string][]int // input shapes that the rest is for
	ByValue   []string         // inputs whose elements the shapes depend on
	Folded    map[string]int   // ops that are computed beforehand
	Rewritten map[string]int   // ops that are expressed by others
	Apart     map[string]int   // ops that are computed between two compiled parts
	Final     map[string]int   // ops that the importer gets; empty if it cannot
	Failed    map[string]error // why an op cannot be imported, by op
}

// Importable tells whether the model runs in GoMLX with these shapes.
func (r *Report) Importable() bool { return len(r.Failed) == 0 }

// Inspect legalises the model for the given input shapes and reports what
// would happen. Inputs left out get their declared shape, with a guess for
// open dimensions; Report.Shapes tells which.
func (m *Model) Inspect(shapes map[string][]int) Report {
	p := m.file.Proto
	r := Report{
		Path: m.Path(), Producer: strings.TrimSpace(p.ProducerName + " " + p.ProducerVersion), IR: p.IrVersion,
		Notes: m.file.Metadata(), Inputs: m.inputs, Outputs: m.outputs,
		Ops: map[string]int{}, Failed: map[string]error{},
	}
	for _, o := range p.OpsetImport {
		if o.Domain == "" || o.Domain == "ai.onnx" {
			r.Opset = o.Version
		}
	}
	r.countOps(p.Graph, 0)
	for _, t := range p.Graph.Initializer {
		if w, err := m.file.Tensor(t); err != nil {
			r.Failed["initializer"] = err
		} else {
			r.Weights++
			r.WeightBytes += int64(w.Bytes())
		}
	}
	r.Shapes = m.Guess(shapes, Sizes{Side: 224, Other: 16})
	m.survey(&r)
	for op := range r.Ops {
		if !legalise.Known(op) && r.Failed[op] == nil {
			r.Failed[op] = fmt.Errorf("op %s is not supported", op)
		}
	}
	return r
}

// survey runs the legaliser, giving values to inputs that shapes depend on.
func (m *Model) survey(r *Report) {
	opt := legalise.Options{Shapes: r.Shapes, Values: map[string]*legalise.Const{}, Outputs: m.opt.Outputs, Survey: true}
	for {
		prog, err := legalise.Run(m.file, opt)
		if err != nil {
			r.Failed["graph"] = err
			return
		}
		if m.learnValues(&opt, prog) {
			continue
		}
		r.ByValue = slices.Sorted(maps.Keys(opt.Values))
		r.Folded, r.Rewritten, r.Apart = prog.Folded, prog.Rewritten, prog.Apart
		maps.Copy(r.Failed, prog.Failed)
		r.Final = map[string]int{}
		for _, n := range prog.Nodes {
			r.Final[n.Op]++
		}
		return
	}
}

// learnValues sets inputs that must be known to a plain number; any will do
// to see the ops.
func (m *Model) learnValues(opt *legalise.Options, prog *legalise.Program) bool {
	learnt := false
	for _, err := range prog.Failed {
		for _, name := range needsValues(err) {
			if opt.Values[name] != nil {
				continue
			}
			n, err := onnxfile.Size(opt.Shapes[name])
			if err != nil || n > valueLimit {
				continue
			}
			const plain = 64
			opt.Values[name] = &legalise.Const{Ints: slices.Repeat([]int64{plain}, n), Floats: slices.Repeat([]float64{plain}, n)}
			learnt = true
		}
	}
	return learnt
}

func (r *Report) countOps(g *protos.GraphProto, depth int) {
	for _, n := range g.Node {
		r.Nodes++
		r.Ops[n.OpType]++
		for _, a := range n.Attribute {
			if a.G != nil && depth < 32 {
				r.countOps(a.G, depth+1)
			}
		}
	}
}

// Write prints the report as text.
func (r *Report) Write(w io.Writer) {
	fmt.Fprintf(w, "%s\n  IR %d, operator set %d, made by %s\n", r.Path, r.IR, r.Opset, orUnknown(r.Producer))
	fmt.Fprintf(w, "  %d nodes, %d weights of %.1f MB\n", r.Nodes, r.Weights, float64(r.WeightBytes)/1e6)
	for _, key := range slices.Sorted(maps.Keys(r.Notes)) {
		fmt.Fprintf(w, "  %s: %s\n", key, r.Notes[key])
	}
	fmt.Fprintln(w, "inputs")
	for _, p := range r.Inputs {
		fmt.Fprintf(w, "  %-32s %-8s %s", p.Name, p.DType, dimsText(p.Dims))
		if s := r.Shapes[p.Name]; s != nil && !slices.Equal(s, p.Dims) {
			fmt.Fprintf(w, "  taken as %s", dimsText(s))
		}
		if slices.Contains(r.ByValue, p.Name) {
			fmt.Fprint(w, "  shapes depend on its elements: compiled per value")
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "outputs")
	for _, p := range r.Outputs {
		fmt.Fprintf(w, "  %-32s %-8s %s\n", p.Name, p.DType, dimsText(p.Dims))
	}
	fmt.Fprintf(w, "ops\n  %-24s %7s %9s %10s\n", "", "in file", "computed", "rewritten")
	for _, op := range byCount(r.Ops) {
		fmt.Fprintf(w, "  %-24s %7d %9s %10s\n", op, r.Ops[op], orDash(r.Folded[op]), orDash(r.Rewritten[op]))
	}
	if !r.Importable() {
		fmt.Fprintln(w, "unsupported")
		for _, op := range slices.Sorted(maps.Keys(r.Failed)) {
			fmt.Fprintf(w, "  %-24s %v\n", op, r.Failed[op])
		}
		fmt.Fprintln(w, "verdict: it cannot be imported with these shapes; where ONNX Runtime is installed it runs whole through that")
		return
	}
	total := 0
	for _, n := range r.Final {
		total += n
	}
	if len(r.Apart) > 0 {
		fmt.Fprintf(w, "computed apart, on the CPU, as only its result tells how long that is: %s; what follows is compiled for each length\n", histogram(r.Apart))
	}
	fmt.Fprintf(w, "verdict: it imports into GoMLX as %d plain ops: %s\n", total, histogram(r.Final))
}

func histogram(ops map[string]int) string {
	var parts []string
	for _, op := range byCount(ops) {
		parts = append(parts, fmt.Sprintf("%s %d", op, ops[op]))
	}
	return strings.Join(parts, ", ")
}

// byCount sorts ops, the most frequent first.
func byCount(ops map[string]int) []string {
	names := slices.Sorted(maps.Keys(ops))
	slices.SortStableFunc(names, func(a, b string) int { return ops[b] - ops[a] })
	return names
}

func dimsText(dims []int) string {
	if dims == nil {
		return "any shape"
	}
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = fmt.Sprint(d)
		if d < 0 {
			parts[i] = "?"
		}
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func orDash(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func orUnknown(s string) string {
	if s == "" {
		return "an unknown tool"
	}
	return s
}
