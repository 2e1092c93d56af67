package gen

import (
	"fmt"
	"slices"

	"wsss/configs"
	"wsss/data"
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

// CheckClasses refuses options of a method, and of those that they name, which
// name classes that the dataset has not: before weights are asked for.
func CheckClasses(g configs.Gen, classes data.Classes) error {
	spec, err := Lookup(g.Method)
	if err != nil {
		return err
	}
	if spec.Classes != nil {
		if err := spec.Classes(g.Options, classes); err != nil {
			return err
		}
	}
	return eachInner(spec, g, func(g configs.Gen) error { return CheckClasses(g, classes) })
}

// eachInner calls do for the methods that a method's options name.
func eachInner(spec Spec, g configs.Gen, do func(g configs.Gen) error) error {
	if spec.Inner == nil {
		return nil
	}
	inner, err := spec.Inner(g.Options)
	if err != nil {
		return err
	}
	for _, g := range inner {
		if err := do(g); err != nil {
			return err
		}
	}
	return nil
}

// CheckFiles tells what the headers of the weight files that are there say
// against a method's options, and those of the methods that they name: before
// the first image, and without loading a weight.
func CheckFiles(g configs.Gen) error {
	spec, err := Lookup(g.Method)
	if err != nil {
		return err
	}
	if spec.Check != nil {
		if err := spec.Check(g); err != nil {
			return err
		}
	}
	return eachInner(spec, g, CheckFiles)
}
