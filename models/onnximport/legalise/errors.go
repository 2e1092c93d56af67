package legalise

import (
	"fmt"
	"runtime"
	"slices"
)

// failure is what failf panics with.
type failure struct{ err error }

// Failf ends the current rule with an error.
func Failf(format string, args ...any) { failf(format, args...) }

func failf(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func fail(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// catch turns a failure into an error.
func catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case failure:
		*err = r.err
	case runtime.Error: // a node that does not hold what its op demands
		*err = fmt.Errorf("the node is malformed: %v", r)
	default:
		panic(r)
	}
}

// NeedsValue is the error of a graph whose shapes depend on the elements of a
// value that are only known at run time.
type NeedsValue struct {
	Value  *Value
	Inputs []string // the graph inputs it depends on
	What   string
	Op     string // that can be computed apart (Compute), as a node of the main graph, "" if it is none
	Apart  string // first output of that node
}

func (e *NeedsValue) Error() string {
	return fmt.Sprintf("%s must be known beforehand, but depends on the values of inputs %q", e.What, e.Inputs)
}

// notMade is the error of a node whose input no node has made.
type notMade struct{ name string }

func (e *notMade) Error() string { return fmt.Sprintf("value %q is used before it is made", e.name) }

func inputsOf(v *Value) []string {
	var names []string
	seen := map[*Value]bool{}
	stack := []*Value{v}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if v == nil || seen[v] {
			continue
		}
		seen[v] = true
		if v.Input {
			names = append(names, v.Name)
		}
		if v.Node != nil {
			stack = append(stack, v.Node.In...)
		}
	}
	slices.Sort(names)
	return names
}
