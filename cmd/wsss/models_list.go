package main

import (
	"context"

	"wsss/cmd/pipeline"
	"wsss/cmd/terminal"
	"wsss/models/manifest"
)

// modelsFlags is the flag set of the subcommands that look after files.
func modelsFlags(name string) (*flags, *string) {
	f := newFlags("models " + name)
	dir := f.String("dir", "", "`folder` of model files; default is $"+manifest.Env+", else the user's cache folder")
	return f, dir
}

func runModelsList(_ context.Context, args []string) error {
	f, dir := modelsFlags("list")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	store, err := manifest.Open(*dir)
	if err != nil {
		return err
	}
	return store.WriteText(stdout)
}

// namedModels are the models that the words of a call name, and the store of their files.
func namedModels(f *flags, dir string) ([]manifest.Model, *manifest.Store, error) {
	models, err := manifest.FindAll(f.Args())
	if err != nil {
		return nil, nil, pipeline.UsageError{Err: err}
	}
	store, err := manifest.Open(dir)
	return models, store, err
}

func runModelsPull(ctx context.Context, args []string) error {
	f, dir := modelsFlags("pull")
	if err := f.parse(args, 1<<10); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return pipeline.Usagef("models pull: name the models; `wsss models list` shows them")
	}
	models, store, err := namedModels(f, *dir)
	if err != nil {
		return err
	}
	for _, m := range models {
		update, end := terminal.Megabytes()
		if err := end(store.Pull(ctx, m, update)); err != nil {
			return err
		}
		if err := store.WritePulled(stdout, m); err != nil {
			return err
		}
	}
	return nil
}

func runModelsVerify(ctx context.Context, args []string) error {
	f, dir := modelsFlags("verify")
	if err := f.parse(args, 1<<10); err != nil {
		return err
	}
	models, store, err := namedModels(f, *dir)
	if err != nil {
		return err
	}
	return store.VerifyAll(ctx, models, stdout)
}
