package pipeline

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"wsss/configs"
	"wsss/gen"
	"wsss/models/manifest"
)

// requirements are what a config, and those that it needs, start from.
type requirements struct {
	name   string
	data   []string // data sets and their splits
	models []string // weights of the manifest
	own    []string // files and folders that only the user can give
}

// PlanMany prints what each of several configs, with the same overrides, needs,
// whatever is here already, where the weights come from, and how many configs need
// nothing that cannot be fetched.
func PlanMany(files, set []string, w io.Writer) error {
	var rows []requirements
	var models []string
	ready := 0
	for _, file := range files {
		links, err := ReadChain(file, set, func(*configs.Config) error { return nil })
		if err != nil {
			return err
		}
		r, err := requires(file, links)
		if err != nil {
			return err
		}
		rows = append(rows, r)
		if len(r.own) == 0 {
			ready++
		}
		for _, m := range r.models {
			if !slices.Contains(models, m) {
				models = append(models, m)
			}
		}
	}
	fmt.Fprintln(w, "| config | data | weights | and what only you have |\n| --- | --- | --- | --- |")
	for _, r := range rows {
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", r.name, strings.Join(r.data, "; "), strings.Join(r.models, ", "), strings.Join(r.own, ", "))
	}
	fmt.Fprintln(w, "\n| weights | file | size | SHA-256 | licence | from |\n| --- | --- | --- | --- | --- | --- |")
	slices.Sort(models)
	for _, name := range models {
		if err := weightRows(w, name); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "\n%d of %d configs need nothing but `wsss models pull`, their data and one command.\n", ready, len(rows))
	return nil
}

// weightRows prints the files of a model.
func weightRows(w io.Writer, name string) error {
	m, err := manifest.Find(name)
	if err != nil {
		return err
	}
	title := m.Name
	for _, file := range m.Files {
		sum := cmp.Or(file.SHA256, "kept at first use")
		from := m.Origin()
		switch {
		case file.Embed != "":
			sum = "part of wsss"
		case file.Build != "":
			sum, from = "", "`wsss models pull "+m.Name+"`, from "+strings.Join(file.From, " and ")
		case file.Local != "":
			from = cmp.Or(m.Make, from)
		case file.Path != "" && file.SHA256 == "":
			sum = "the repository's, checked by pull"
		case file.URL != "":
			from = file.URL
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", title, file.Name(), file.SizeText(), sum, m.Licence, from)
		title = ""
	}
	return nil
}

// requires collects what a chain of configs starts from.
func requires(file string, links []configs.Link) (requirements, error) {
	r := requirements{name: strings.TrimSuffix(filepath.Base(file), ".toml")}
	var outs []string
	for _, l := range links {
		outs = append(outs, l.Config.Out)
		p := &Plan{Run: &Run{Options: Options{File: l.File}, Config: l.Config}, Print: io.Discard, outs: outs}
		n, err := p.startsFrom(l)
		if err != nil {
			return r, err
		}
		for _, m := range n.Models {
			if !slices.Contains(r.models, m) {
				r.models = append(r.models, m)
			}
			model, err := manifest.Find(m)
			if err != nil {
				return r, InFile(l.File, UsageError{Err: err})
			}
			if slices.ContainsFunc(model.Files, func(f manifest.File) bool { return f.Local != "" }) {
				r.own = append(r.own, m)
			}
		}
		for _, path := range n.Files {
			if !p.makes(path) && !slices.Contains(r.own, path) {
				r.own = append(r.own, path)
			}
		}
		for _, d := range dataOf(l) {
			if !slices.Contains(r.data, d) {
				r.data = append(r.data, d)
			}
		}
	}
	return r, nil
}

// startsFrom lists the weights and files of one config.
func (p *Plan) startsFrom(l configs.Link) (gen.Needs, error) {
	var n gen.Needs
	for _, t := range ownTrainings(l) {
		switch t.table {
		case "classifier":
			n.Add(startNeeds(p.Config.Classifier.Init))
		case "finetune_clip":
			n.Add(gen.Needs{Models: []string{p.Config.FineTuneCLIP.Model}, Files: []string{p.Config.FineTuneCLIP.Encoder}})
		}
	}
	if !labelsToo(l) {
		return n, nil
	}
	more, err := p.needs(p.of(Parts{Gen: true, Train: true, Eval: true}))
	if err != nil {
		return n, err
	}
	n.Add(more)
	if len(p.Networks()) > 0 {
		n.Add(startNeeds(p.Config.Train.Init))
	}
	if dir, ok := p.trainLabels(); ok && !p.labels() {
		n.Add(gen.Needs{Files: []string{dir}})
	}
	e := p.Config.Eval
	for _, o := range e.ONNX {
		n.Add(gen.Needs{Files: []string{o.Path}})
	}
	for _, o := range e.Network {
		n.Add(gen.Needs{Files: []string{o.Checkpoint}})
	}
	for _, a := range e.Against {
		n.Add(gen.Needs{Files: []string{a.Dir}})
	}
	return n, nil
}

// dataOf names the data sets of a config, with their splits and the files of
// weak labels that do not come with them.
func dataOf(l configs.Link) []string {
	text := func(d configs.Data, splits ...string) string {
		s := d.Kind + " " + strings.Join(slices.Compact(splits), ", ")
		for _, key := range []string{"tags", "points", "scribbles", "boxes"} {
			if path, ok := d.Options[key].(string); ok {
				s += ", " + key + " of " + filepath.Base(path)
			}
		}
		return s
	}
	d := l.Config.Data
	splits := []string{d.TrainSplit, d.ValSplit}
	if l.Config.Train.Skip && labelsToo(l) && len(l.Config.Eval.ZeroShot)+len(l.Config.Eval.ONNX) == 0 {
		splits = splits[:1]
	}
	list := []string{text(d, splits...)}
	for _, t := range ownTrainings(l) {
		if v := l.Config.FineTuneCLIP.Val; t.table == "finetune_clip" && v != nil {
			list = []string{text(d, d.TrainSplit), text(*v, v.ValSplit)}
		}
	}
	return list
}
