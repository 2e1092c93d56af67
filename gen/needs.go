package gen

import (
	"fmt"
	"slices"

	"wsss/configs"
)

// Needs is what a method reads beside the dataset.
type Needs struct {
	Models []string // weights, by their names in the manifest (`wsss models list`)
	Files  []string // files and folders that the options name
}

// Add appends what is not there yet; empty names count nothing.
func (n *Needs) Add(more Needs) {
	for _, m := range more.Models {
		if m != "" && !slices.Contains(n.Models, m) {
			n.Models = append(n.Models, m)
		}
	}
	for _, f := range more.Files {
		if f != "" && !slices.Contains(n.Files, f) {
			n.Files = append(n.Files, f)
		}
	}
}

// NeedsOf is what a method needs, with the methods that its options name. It
// opens nothing; options that the method does not know are an error.
func NeedsOf(g configs.Gen) (Needs, error) {
	var n Needs
	spec, err := Lookup(g.Method)
	if err != nil {
		return n, err
	}
	if spec.Needs != nil {
		own, err := spec.Needs(g.Options)
		if err != nil {
			return n, fmt.Errorf("method %s: %w", g.Method, err)
		}
		n.Add(own)
	}
	if spec.Inner == nil {
		return n, nil
	}
	inner, err := spec.Inner(g.Options)
	if err != nil {
		return n, err
	}
	for _, g := range inner {
		more, err := NeedsOf(g)
		if err != nil {
			return n, err
		}
		n.Add(more)
	}
	return n, nil
}
