package main

import (
	"cmp"
	"context"
	"os"
	"path/filepath"

	"wsss/cmd/pipeline"
	"wsss/cmd/pipeline/starter"
	"wsss/data"
)

func runInit(_ context.Context, args []string) error {
	f := newFlags("init")
	out := f.String("out", "", "the `file` to write; default is the folder's name with .toml")
	kind := f.String("kind", "", "dataset `kind`: folder, voc, coco; default is what the folder looks like")
	weak := f.String("weak", "", "weak `labels` to use: none, tags, points, scribbles, boxes; default is what most images have")
	classes := f.String("classes", "", "the `names` of the classes, separated by commas, without background; default is what the files name")
	if err := f.parse(args, 1); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return pipeline.Usagef("init: name the folder of the images, as in wsss init photos")
	}
	if *kind != "" {
		if err := f.oneOf("kind", data.Kinds()...); err != nil {
			return err
		}
	}
	root := filepath.Clean(f.Arg(0))
	if info, err := os.Stat(root); err != nil {
		return pipeline.UsageError{Err: err}
	} else if !info.IsDir() {
		return pipeline.Usagef("%s is a file: name the folder of the images", root)
	}
	path, err := starter.ConfigPath(*out, root)
	if err != nil {
		return err
	}
	names, err := pipeline.ParseClasses(*classes)
	if err != nil {
		return err
	}
	s, err := starter.New(root, cmp.Or(*kind, starter.KindOf(root)), data.WeakKind(*weak), names)
	if err != nil {
		return err
	}
	if err := s.Write(path); err != nil {
		return err
	}
	s.Tell(stdout, path)
	return nil
}
