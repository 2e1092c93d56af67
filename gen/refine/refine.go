// Package refine holds the gen methods that improve or combine labels which
// another method, an earlier run or another tool made: "crf", "sepl",
// "random-walk" and "ensemble". Where those labels come from is the table
// [gen.options.from] (source.Options) in all of them.
package refine

import (
	"maps"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/gen"
	"wsss/gen/source"
)

// register adds a method whose options have one source, which from returns.
func register[O any](name, doc string, decode func(table map[string]any) (O, error), build func(env gen.Env, o O) (gen.Method, error), from func(o O) source.Options) {
	gen.RegisterOf(name, gen.Spec{Doc: doc, Weak: data.Supervisions}, gen.Of[O]{
		Decode: decode,
		New:    build,
		Inner:  func(o O) []configs.Gen { return from(o).Inner() },
		Needs:  func(o O) gen.Needs { return from(o).Needs() },
	})
}

// folders are the folders that a method reads beside its source, each with
// what describes its files.
type folders map[string]func() (string, error)

// inputFiles joins what sources read for an image with files of a method's own.
func inputFiles(id string, own []string, from ...*source.Source) ([]string, error) {
	for _, s := range from {
		more, err := s.InputFiles(id)
		if err != nil {
			return nil, err
		}
		own = append(own, more...)
	}
	return own, nil
}

// below are paths in a folder; none where there is no folder.
func below(dir string, names ...string) ([]string, error) {
	if dir == "" {
		return nil, nil
	}
	paths := make([]string, len(names))
	for i, name := range names {
		var err error
		if paths[i], err = files.Join(dir, name); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// inputs joins the descriptions of folders and sources (gen.Reader).
func inputs(more folders, from ...*source.Source) (map[string]string, error) {
	all := map[string]string{}
	for _, s := range from {
		in, err := s.Inputs()
		if err != nil {
			return nil, err
		}
		maps.Copy(all, in)
	}
	for dir, describe := range more {
		sum, err := describe()
		if err != nil {
			return nil, err
		}
		all[dir] = sum
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}
