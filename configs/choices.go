package configs

import (
	"fmt"
	"slices"
	"strings"
)

// Choice is a kind of plug-in that keys name.
type Choice string

// The kinds of plug-ins whose names Validate asks for. Datasets and methods are
// asked for where they are opened.
const (
	Architectures Choice = "architecture" // train.network.arch
	Backbones     Choice = "backbone"     // train.network.backbone, classifier.network.backbone
	Optimizers    Choice = "optimiser"    // train.optimizer.name, classifier.optimizer.name
	FuseRules     Choice = "overlap rule" // gen.fuse.rule
	RowKinds      Choice = "kind of row"  // eval.row.kind
)

var choices = map[Choice]func() []string{}

// Allow says who knows the names of a kind of plug-in: names lists those that
// are registered, in the order in which an error gives them. The room that
// keeps the registry calls it from init. A kind of which no name is known, as
// in a program without its plug-ins, is not checked; whoever opens one does.
func Allow(kind Choice, names func() []string) {
	if choices[kind] != nil {
		panic("configs: two registries of one kind: " + string(kind))
	}
	choices[kind] = names
}

// plugIn checks the name of a plug-in.
func (v *validator) plugIn(key, value string, kind Choice) {
	var names []string
	if list := choices[kind]; list != nil {
		names = list()
	}
	if len(names) == 0 {
		v.that(value != "", key, value, fmt.Sprintf("the name of a registered %s", kind))
		return
	}
	v.that(slices.Contains(names, value), key, value, "one of "+strings.Join(names, ", ")+DidYouMean(value, names))
}

// strides tells which train.network.output_stride an architecture takes.
var strides = func(arch string) []int { return nil }

// AllowStrides says who knows the output strides of architectures; nil for one
// that is not registered.
func AllowStrides(of func(arch string) []int) { strides = of }

// outputStride checks train.network.output_stride.
func (v *validator) outputStride(arch string, value int) {
	list := strides(arch)
	if list == nil {
		list = []int{8, 16, 32}
	}
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = fmt.Sprint(s)
	}
	v.that(slices.Contains(list, value), "train.network.output_stride", value, strings.Join(words, " or "))
}
