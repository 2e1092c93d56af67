package licences

import (
	"fmt"
	"io"
	"text/tabwriter"

	"wsss/models/imagenet"
	"wsss/models/manifest"
)

// fetched are the libraries that `doctor -install` and make bring.
var fetched = [][3]string{
	{"ONNX Runtime", "MIT", "doctor -install onnx"},
	{"XLA's plug-in for the CPU", "Apache-2.0", "doctor -install xla:cpu"},
	{"XLA's plug-in for CUDA", "Apache-2.0", "doctor -install xla:cuda"},
	{"CUDA, cuDNN, NCCL and other libraries of NVIDIA", "NVIDIA's, not free; NCCL BSD-3-Clause", "doctor -install xla:cuda"},
}

// WriteList prints a line for every module of the binary, every library and every
// weight file that it may fetch.
func WriteList(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "in the binary\t\t")
	for _, m := range Modules() {
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
	return w.Flush()
}

// WriteTexts prints the texts of the licences of what is in the binary.
func WriteTexts(out io.Writer) error {
	for _, m := range Modules() {
		fmt.Fprintf(out, "%s%s %s, %s\n\n%s\n", Rule, m.Path, m.Version, m.Licence, m.Text)
	}
	_, err := fmt.Fprintf(out, "%sthe part of WordNet 3.0 above ImageNet's classes, WordNet\n\n%s\n", Rule, imagenet.Licence)
	return err
}
