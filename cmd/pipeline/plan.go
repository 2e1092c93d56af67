package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/scenes"
	"wsss/data/words"
	"wsss/gen"
	"wsss/models/manifest"
)

// Plan is a run that is only described: its steps, and what it lacks. Its dataset is
// nil where it is not there yet.
type Plan struct {
	*Run
	Print io.Writer
	Lacks []string
	outs  []string // folders of the runs that it needs, which are made first
}

// describe prints the steps of some parts of a run, and finds what they lack.
func (p *Plan) describe(of Parts) error {
	if err := p.data(of); err != nil {
		return err
	}
	if err := p.weights(of); err != nil {
		return err
	}
	fmt.Fprintln(p.Print, "\nsteps")
	if of.Gen {
		p.gen()
	}
	if of.Train {
		p.train()
	}
	if of.Eval {
		p.eval()
		p.step("report", "%s", p.Path("report.html"))
	}
	return nil
}

// makes tells whether a file that is not there lies in the run's own folder, or
// in that of a config that it needs, where an earlier step writes it.
func (p *Plan) makes(path string) bool {
	return slices.ContainsFunc(append([]string{p.Config.Out}, p.outs...), func(dir string) bool { return below(dir, path) })
}

func (p *Plan) step(name, format string, args ...any) {
	fmt.Fprintf(p.Print, "  %-8s %s\n", name, fmt.Sprintf(format, args...))
}

func (p *Plan) lack(format string, args ...any) {
	p.Lacks = append(p.Lacks, fmt.Sprintf(format, args...))
}

// publishedSplits are the sizes of the data sets' own splits (docs/sources.md §9),
// for plans without data.
var publishedSplits = map[string]map[string]int{
	"voc":  {"train": 1464, "val": 1449, "trainval": 2913, "test": 1456, "train_aug": 10582},
	"coco": {"train2014": 82081, "val2014": 40137},
}

// data says which images and weak labels the run needs.
func (p *Plan) data(of Parts) error {
	d := p.Config.Data
	fmt.Fprintf(p.Print, "\ndata     %s at %s: labels for %s, scores on %s\n", d.Kind, d.Root, d.TrainSplit, d.ValSplit)
	if d.Kind == "scenes" {
		fmt.Fprintln(p.Print, "         generated on the first run, from the seed")
		return p.checkScenes(d)
	}
	if p.Dataset == nil {
		ds, err := OpenData(d, p.Config.Seed)
		if errors.As(err, new(UsageError)) {
			return InFile(p.File, err)
		}
		if err != nil {
			p.lack("%s", dataLack(err))
		}
		if p.Dataset = ds; ds != nil { // so that class names in options are checked, too
			p.correct()
		}
	}
	for _, key := range []string{"tags", "points", "scribbles", "boxes"} {
		if path, ok := d.Options[key].(string); ok {
			fmt.Fprintf(p.Print, "         %s from %s\n", key, path)
		}
	}
	if p.Dataset == nil {
		return nil
	}
	for _, split := range p.splits(of) {
		if ids, err := p.Dataset.IDs(split); IsUsage(err) {
			return InFile(p.File, err)
		} else if err != nil {
			p.lack("data: %v", err)
		} else if p.Print != io.Discard {
			fmt.Fprintf(p.Print, "         %s in %s%s\n", words.Plural(len(ids), "image"), split, p.labelCounts(split, ids))
		}
	}
	for _, g := range p.of(of) {
		if err := data.CheckWeak(p.Dataset, data.WeakKind(g.Weak)); err != nil {
			p.lack("weak labels: %v", err)
		}
	}
	return nil
}

// checkScenes refuses wrong keys of scenes that are yet to be generated.
func (p *Plan) checkScenes(d configs.Data) error {
	if err := scenes.Check(data.Options{Root: d.Root, Seed: p.Config.Seed, Extra: d.Options}); err != nil {
		return InFile(p.File, UsageError{Err: fmt.Errorf("dataset scenes at %s: %w", d.Root, err)})
	}
	return nil
}

// splits are those that the parts read.
func (p *Plan) splits(of Parts) []string {
	d := p.Config.Data
	var list []string
	if of.Gen || of.Train || of.Eval {
		list = append(list, d.TrainSplit)
	}
	if scores := !of.Gen || of.Train || of.Eval; scores && !slices.Contains(list, d.ValSplit) {
		list = append(list, d.ValSplit)
	}
	return list
}

func dataLack(err error) string {
	return fmt.Sprintf("data: %v; docs/datasets.md says where it comes from and what the folder looks like", err)
}

// labels tells whether the run makes the pseudo-labels itself.
func (p *Run) labels() bool {
	dir, ok := p.trainLabels()
	return ok && dir == p.labelsDir()
}

// weights lists what the methods and the network start from.
func (p *Plan) weights(of Parts) error {
	n, err := p.needs(p.of(of))
	if err != nil {
		return err
	}
	if of.Train && p.begins() {
		n.Add(startNeeds(p.Config.Train.Init))
	}
	for _, o := range p.Config.Eval.ONNX {
		if of.Eval && p.wants(o.Name) {
			n.Add(gen.Needs{Files: []string{o.Path}})
		}
	}
	return p.list(n)
}

// startNeeds is what a training begins with: nothing, a model by its name, or
// a file.
func startNeeds(init string) gen.Needs {
	if init == "" {
		return gen.Needs{}
	}
	if _, err := manifest.Find(init); err == nil {
		return gen.Needs{Models: []string{init}}
	}
	return gen.Needs{Files: []string{init}}
}

// list says of weights whether they are here.
func (p *Plan) list(n gen.Needs) error {
	if len(n.Models)+len(n.Files) == 0 {
		fmt.Fprintln(p.Print, "\nweights  none")
		return nil
	}
	store, err := manifest.Open("")
	if err != nil {
		return err
	}
	fmt.Fprintln(p.Print, "\nweights")
	for _, name := range n.Models {
		if err := p.model(store, name); err != nil {
			return InFile(p.File, UsageError{Err: err})
		}
	}
	for _, path := range n.Files {
		state := "here"
		switch {
		case files.Exists(path):
		case p.makes(path):
			state = "made by an earlier step"
		default:
			state = "missing"
			p.lack("%s: a file or folder of yours; docs/weights.md has the sources of initial networks", path)
		}
		fmt.Fprintf(p.Print, "  %-26s %s\n", path, state)
	}
	return nil
}

// model is one line about a model of the manifest.
func (p *Plan) model(store *manifest.Store, name string) error {
	m, err := manifest.Find(name)
	if err != nil {
		return err
	}
	var absent, local, sizes []string
	for _, st := range store.Status(m) {
		if st.State == manifest.Absent {
			absent = append(absent, st.File.Name())
			if st.File.Local != "" {
				local = append(local, st.File.Name())
			}
			if text := st.File.SizeText(); strings.Trim(text, "–?-") != "" {
				sizes = append(sizes, text)
			}
		}
	}
	state := "here"
	switch {
	case len(local) > 0:
		state = "missing"
		p.lack("%s: put %s into %s; from %s", name, strings.Join(local, ", "), filepath.Join(store.Dir(), name), m.Origin())
	case len(absent) > 0:
		state = "missing"
		p.lack("%s: wsss models pull %s  (%s)", name, name, strings.Join(sizes, " + "))
	}
	fmt.Fprintf(p.Print, "  %-26s %s; %s\n", name, state, m.Doc)
	return nil
}

// images is the size of a split in words.
func (p *Plan) images(split string) string {
	if p.Dataset != nil {
		if ids, err := p.Dataset.IDs(split); err == nil {
			return fmt.Sprintf("%s (%s)", split, words.Plural(len(ids), "image"))
		}
	}
	if n, ok := publishedSplits[p.Config.Data.Kind][split]; ok {
		return fmt.Sprintf("%s (%d images as published)", split, n)
	}
	return split
}

func (p *Plan) gen() {
	if p.labels() {
		p.labeller("gen", p.Config.Gen, p.Config.Data.TrainSplit, p.labelsDir())
	}
	for _, c := range p.Config.Compare {
		p.labeller("compare", c.Gen(0), cmp.Or(c.Split, p.Config.Data.TrainSplit), p.compareDir(c))
	}
}

func (p *Plan) labeller(name string, g configs.Gen, split, dir string) {
	p.step(name, "%s from %s for %s, fused by %s → %s", g.Method, g.Weak, p.images(split), g.Fuse.Rule, dir)
	if spec, err := gen.Lookup(g.Method); err == nil {
		p.step("", "%s", spec.Doc)
	}
}

func (p *Plan) train() {
	t := p.Config.Train
	if dir, ok := p.trainLabels(); ok && !p.labels() {
		p.step("labels", "read from %s", dir)
		if !files.Exists(dir) {
			p.lack("%s: a folder of label PNGs (train.labels)", dir)
		}
	}
	for _, net := range p.Networks() {
		p.step("train", "%s: %s %s (output stride %d%s), %d iterations of batch %d×%d, crop %d, lr %g → %s",
			NetTitle(net), t.Arch, t.Backbone, t.OutputStride, p.classes(), t.Iterations, t.Batch, t.Accumulate, t.Crop, t.LR, p.Path("train", net))
		if t.Init == "" {
			p.step("", "starts from random weights")
		} else {
			p.step("", "starts from %s", t.Init)
		}
	}
	if t.Skip {
		p.step("train", "nothing (train.skip)")
	}
}

// classCount is the number of classes, background included; 0 = not known.
func (p *Plan) classCount() int {
	if p.Dataset != nil {
		return p.Dataset.Classes().Len()
	}
	return map[string]int{"voc": 21, "coco": 81}[p.Config.Data.Kind]
}

// classes is their number in words, where it is known.
func (p *Plan) classes() string {
	n := p.classCount()
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d classes", n)
}

func (p *Plan) eval() {
	e := p.Config.Eval
	if _, ok := p.trainLabels(); ok {
		p.step("eval", "pseudo-labels of %s", p.images(p.Config.Data.TrainSplit))
	}
	for _, net := range p.Networks() {
		p.step("eval", "the network %s, on %s: scales %v, flip %v", NetTitle(net), p.images(p.Config.Data.ValSplit), e.Scales, e.Flip)
	}
	for _, z := range e.ZeroShot {
		p.step("eval", "%s: %s as a predictor, on %s", z.Name, z.Method, p.images(p.Config.Data.ValSplit))
	}
	for _, n := range e.Network {
		p.step("eval", "%s: the network of another run, %s, on %s", n.Name, n.Checkpoint, p.images(p.Config.Data.ValSplit))
		if !files.Exists(n.Checkpoint) && !p.makes(n.Checkpoint) && p.wants(n.Name) {
			p.lack("%s: the checkpoint of another run (eval.network)", n.Checkpoint)
		}
	}
	for _, o := range e.ONNX {
		p.step("eval", "%s: your network %s, on %s", o.Name, o.Path, p.images(p.Config.Data.ValSplit))
	}
	for _, a := range e.Against {
		p.step("eval", "%s: label maps in %s, on %s", a.Name, a.Dir, p.images(cmp.Or(a.Split, p.Config.Data.TrainSplit)))
		if !files.Exists(a.Dir) && !p.makes(a.Dir) && p.wants(a.Name) {
			p.lack("%s: a folder of label PNGs (eval.against)", a.Dir)
		}
	}
}
