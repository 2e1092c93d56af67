package main

import (
	"bufio"
	"context"
	"fmt"
	"text/tabwriter"

	"wsss/cmd/wsss/licences"
	"wsss/models/imagenet"
	"wsss/models/manifest"
)

func init() {
	register(command{name: "licenses", short: "licences of what the binary is built of, and of weights and libraries it fetches", run: runLicenses})
}

// fetched are the libraries that `doctor -install` and make bring.
var fetched = [][3]string{
	{"ONNX Runtime", "MIT", "doctor -install onnx"},
	{"XLA's plug-in for the CPU", "Apache-2.0", "doctor -install xla:cpu"},
	{"XLA's plug-in for CUDA", "Apache-2.0", "doctor -install xla:cuda"},
	{"CUDA, cuDNN, NCCL and other libraries of NVIDIA", "NVIDIA's, not free; NCCL BSD-3-Clause", "doctor -install xla:cuda"},
}

func runLicenses(_ context.Context, args []string) error {
	f := newFlags("licenses", `
wsss licenses lists the licences of the Go modules in this binary, of the
libraries of its engines and of the weights that it knows.

  wsss licenses           the list
  wsss licenses -full     the texts of the modules' licences`)
	full := f.Bool("full", false, "print the texts")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	out := bufio.NewWriter(stdout)
	if *full {
		for _, m := range licences.Modules() {
			fmt.Fprintf(out, "%s%s %s, %s\n\n%s\n", licences.Rule, m.Path, m.Version, m.Licence, m.Text)
		}
		fmt.Fprintf(out, "%sthe part of WordNet 3.0 above ImageNet's classes, WordNet\n\n%s\n", licences.Rule, imagenet.Licence)
		return out.Flush()
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "in the binary\t\t")
	for _, m := range licences.Modules() {
		fmt.Fprintf(w, "  %s %s\t%s\t\n", m.Path, m.Version, m.Licence)
	}
	fmt.Fprintln(w, "  the part of WordNet 3.0 above ImageNet's classes\tWordNet\t")
	fmt.Fprintln(w, "  Go's runtime and standard library\tBSD-3-Clause\t")
	fmt.Fprintln(w, "\nlibraries, when fetched\t\t")
	for _, l := range fetched {
		fmt.Fprintf(w, "  %s\t%s\twsss %s\n", l[0], l[1], l[2])
	}
	fmt.Fprintln(w, "\nweights, when fetched\t\t")
	for _, m := range manifest.Models() {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", m.Name, m.Licence, m.Origin())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return out.Flush()
}
