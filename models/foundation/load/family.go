package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute"

	"wsss/models/manifest"
)

// Family is a kind of foundation model: the files that make one, by their roles
// in the manifest, and how they are opened together.
type Family struct {
	Roles    []string // files that each of its models has
	Optional []string // files that some have
	// Open opens a model of the files, by role; an optional one that is not
	// there is "".
	Open func(b compute.Backend, files map[string]string, opt Options) (model any, sessions Closer, err error)
}

var families = map[string]Family{}

// Register adds a family by the name that the manifest gives it; it panics on a
// duplicate name. Call it from init in the family's own file.
func Register(name string, f Family) {
	if _, twice := families[name]; twice {
		panic("load: family registered twice: " + name)
	}
	families[name] = f
}

// Families lists the registered names, sorted.
func Families() []string { return slices.Sorted(maps.Keys(families)) }

// lookupFamily returns a registered family, or an error that lists those that
// there are.
func lookupFamily(name string) (Family, error) {
	f, ok := families[name]
	if !ok {
		return f, fmt.Errorf("%q is no family of foundation models: allowed are %s", name, strings.Join(Families(), ", "))
	}
	return f, nil
}

// Choice names a model of a family, as a config does.
type Choice struct {
	Model string            // a model of `wsss models list`, for the roles without a file
	Files map[string]string // files by role; "" = the model's
	Dir   string            // folder of model files; "" = the usual one
}

// Resolve finds the files of a choice, by role. Roles are looked at in the
// family's order, so that of several missing files the first is named.
func (c Choice) Resolve(family string) (map[string]string, error) {
	f, err := lookupFamily(family)
	if err != nil {
		return nil, err
	}
	paths := map[string]string{}
	for _, role := range slices.Concat(f.Roles, f.Optional) {
		optional := slices.Contains(f.Optional, role)
		if optional && c.Files[role] == "" && !manifest.HasRole(c.Model, role) {
			continue
		}
		if paths[role], err = manifest.Resolve(c.Dir, c.Files[role], c.Model, family, role); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// Model opens the model of a family that a choice names, as the Go type that
// the family gives.
func Model[M any](b compute.Backend, family string, c Choice, opt Options) (M, Closer, error) {
	var none M
	paths, err := c.Resolve(family)
	if err != nil {
		return none, nil, err
	}
	opened, sessions, err := families[family].Open(b, paths, opt)
	if err != nil {
		return none, nil, err
	}
	m, ok := opened.(M)
	if !ok {
		return none, nil, fmt.Errorf("models of family %s are %T, wanted is %T", family, opened, none)
	}
	if err := c.firstUse(opened); err != nil {
		return none, nil, errors.Join(err, sessions.Close())
	}
	return m, sessions, nil
}

// firstUse checks a model whose files come from different exports, once.
func (c Choice) firstUse(opened any) error {
	m, err := manifest.Find(c.Model)
	f, ok := opened.(interface {
		Fits(ctx context.Context) error
	})
	if err != nil || !ok || slices.ContainsFunc(slices.Collect(maps.Values(c.Files)), func(file string) bool { return file != "" }) {
		return nil // files of one's own
	}
	store, err := manifest.Open(c.Dir)
	if err != nil {
		return err
	}
	return store.FirstUse(context.Background(), m, f.Fits)
}
