package weights

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"

	"wsss/data/words"
)

// Pair is a tensor of a file and the variable that takes it.
type Pair struct {
	Tensor, Variable string
	Shape            []int // in the file
	Want             []int // of the variable, as the file would hold it
}

// Mapping says which tensor of a file goes to which variable of a network.
// Every tensor and every variable is in exactly one of its lists, but for
// tensors that Match is told to skip.
type Mapping struct {
	Pairs   []Pair   // same shape
	Differ  []Pair   // found, but of another shape than the variable: not used
	Missing []string // variables without a tensor
	Unused  []string // tensors without a variable
}

// Match pairs the tensors of src with variables, given by name and shape as the
// file would hold them. rename turns a tensor's name into a variable's; "" skips
// the tensor without a word. Two tensors for one variable are an error.
func Match(src Source, variables map[string][]int, rename func(tensor string) string) (Mapping, error) {
	var m Mapping
	taken := map[string]string{}
	for _, tensor := range src.Names() {
		name := rename(tensor)
		want, ok := variables[name]
		switch {
		case name == "":
			continue
		case !ok:
			m.Unused = append(m.Unused, tensor)
			continue
		case taken[name] != "":
			return Mapping{}, fmt.Errorf("tensors %q and %q are both for the variable %s", taken[name], tensor, name)
		}
		taken[name] = tensor
		shape, err := src.Shape(tensor)
		if err != nil {
			return Mapping{}, err
		}
		pair := Pair{tensor, name, shape, want}
		if slices.Equal(shape, want) {
			m.Pairs = append(m.Pairs, pair)
		} else {
			m.Differ = append(m.Differ, pair)
		}
	}
	for name := range variables {
		if taken[name] == "" {
			m.Missing = append(m.Missing, name)
		}
	}
	sort.Strings(m.Missing)
	return m, nil
}

// wrappers are the names under which training scripts save a network.
var wrappers = regexp.MustCompile(`^((state_dict|model_state|model_state_dict|model|module|net|base|scale|Scale|Scale1|resnet[0-9]+)\.)+`)

// Unwrap takes the names under which training scripts save a network from that
// of a tensor: "model_state.module.conv1.weight" is conv1.weight.
func Unwrap(tensor string) string { return wrappers.ReplaceAllString(tensor, "") }

// String is one line for a log, such as
// "520 tensors loaded; another shape: aspp.c0.weight; unused: fc.bias, fc.weight".
func (m Mapping) String() string {
	out := words.Plural(len(m.Pairs), "tensor") + " loaded"
	differ := make([]string, len(m.Differ))
	for i, p := range m.Differ {
		differ[i] = p.Variable
	}
	for _, part := range []struct {
		what  string
		names []string
	}{{"another shape", differ}, {"not in the file", m.Missing}, {"unused", m.Unused}} {
		if len(part.names) > 0 {
			out += "; " + part.what + ": " + Some(part.names)
		}
	}
	return out
}

// Some lists at most four names.
func Some(names []string) string {
	if len(names) > 4 {
		return fmt.Sprintf("%s … (%d)", strings.Join(names[:3], ", "), len(names))
	}
	return strings.Join(names, ", ")
}
