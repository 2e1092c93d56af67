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

// chosenModels looks up models by name.
func chosenModels(names []string) ([]manifest.Model, error) {
	var list []manifest.Model
	for _, name := range names {
		m, err := manifest.Find(name)
		if err != nil {
			return nil, pipeline.UsageError{Err: err}
		}
		list = append(list, m)
	}
	return list, nil
}

func runModelsPull(ctx context.Context, args []string) error {
	f, dir := modelsFlags("pull")
	if err := f.parse(args, 1<<10); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return pipeline.Usagef("models pull: name the models; `wsss models list` shows them")
	}
	models, err := chosenModels(f.Args())
	if err != nil {
		return err
	}
	store, err := manifest.Open(*dir)
	if err != nil {
		return err
	}
	for _, m := range models {
		if err := pull(ctx, store, m); err != nil {
			return err
		}
		if err := store.WritePulled(stdout, m); err != nil {
			return err
		}
	}
	return nil
}

// pull shows one bar per file, in megabytes.
func pull(ctx context.Context, store *manifest.Store, m manifest.Model) error {
	var cur *terminal.Bar
	var file string
	err := store.Pull(ctx, m, func(name string, done, total int64) {
		if name != file {
			if cur != nil {
				cur.Finish()
			}
			cur, file = terminal.NewBar(name+" (MB)", false), name
		}
		cur.Update(int(done>>20), int(max(total, done)>>20))
	})
	if cur != nil {
		if err != nil {
			cur.Abort()
		} else {
			cur.Finish()
		}
	}
	return err
}

func runModelsVerify(ctx context.Context, args []string) error {
	f, dir := modelsFlags("verify")
	if err := f.parse(args, 1<<10); err != nil {
		return err
	}
	models, err := chosenModels(f.Args())
	if err != nil {
		return err
	}
	store, err := manifest.Open(*dir)
	if err != nil {
		return err
	}
	return store.VerifyAll(ctx, models, stdout)
}
