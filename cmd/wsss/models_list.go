package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"wsss/cmd/pipeline"
	"wsss/cmd/terminal"
	"wsss/models/manifest"
	"wsss/models/official"
	"wsss/models/onnximport/onnxfile"
)

// modelsFlags is the flag set of the subcommands that look after files.
func modelsFlags(name, intro string) (*flags, *string) {
	f := newFlags("models "+name, intro)
	dir := f.String("dir", "", "`folder` of model files; default is $"+manifest.Env+", else the user's cache folder")
	return f, dir
}

func runModelsList(_ context.Context, args []string) error {
	f, dir := modelsFlags("list", `
wsss models list shows the foundation models that wsss knows: their files,
licences and sources, and which files are here.

  wsss models list`)
	if err := f.parse(args, 0); err != nil {
		return err
	}
	store, err := manifest.Open(*dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Folder: %s\n\n", store.Dir())
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MODEL\tFILE\tSIZE\tSTATE\tLICENCE\tSOURCE")
	for _, m := range manifest.Models() {
		name, licence, origin := m.Name, m.Licence, m.Origin()
		for _, st := range store.Status(m) {
			state := string(st.State)
			if st.State == manifest.Good {
				state = "here"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", name, st.File.Name(), st.File.SizeText(), state, licence, origin)
			name, licence, origin = "", "", ""
		}
	}
	return w.Flush()
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
	f, dir := modelsFlags("pull", `
wsss models pull fetches the files of models that are missing. What a broken
transfer has brought is kept, and the same command goes on from there. Every
file is checked against the manifest's hash or the repository's.
HF_TOKEN, if set, is used for Hugging Face.

  wsss models pull mobile-sam gdino-tiny`)
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
		fmt.Fprintf(stdout, "%s is in %s (licence: %s)\n", m.Name, store.Path(m, manifest.File{Local: "."}), m.Licence)
		if err := tellUnneeded(store, m); err != nil {
			return err
		}
	}
	return nil
}

// tellUnneeded says which parts of the checkpoints no graph takes.
func tellUnneeded(store *manifest.Store, m manifest.Model) error {
	parts := ""
	for _, f := range m.Files {
		if f.Build == "" {
			continue
		}
		graph, err := onnxfile.Open(store.Path(m, f))
		if err != nil {
			return err
		}
		parts = graph.Metadata()[official.NotNeeded]
		if err := graph.Close(); err != nil {
			return err
		}
	}
	if parts != "" {
		fmt.Fprintf(stdout, "  not needed for photos: %s\n", parts)
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
	f, dir := modelsFlags("verify", `
wsss models verify hashes the model files that are here and compares them with
the manifest, or with the hashes recorded at their first use. Without names it
checks all models.

  wsss models verify mobile-sam`)
	if err := f.parse(args, 1<<10); err != nil {
		return err
	}
	models, err := chosenModels(f.Args())
	if err != nil {
		return err
	}
	if len(models) == 0 {
		models = manifest.Models()
	}
	store, err := manifest.Open(*dir)
	if err != nil {
		return err
	}
	var wrong []error
	for _, m := range models {
		list, err := store.Verify(ctx, m)
		if err != nil {
			return err
		}
		for _, st := range list {
			if st.State == manifest.Absent && f.NArg() == 0 {
				continue // of all models, only those that are here matter
			}
			fmt.Fprintf(stdout, "%-9s %s/%s\n", st.State, m.Name, st.File.Name())
			switch st.State {
			case manifest.Damaged:
				wrong = append(wrong, st.Err)
			case manifest.Absent:
				wrong = append(wrong, fmt.Errorf("%s is missing", st.Path))
			}
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d files are not as they should be:\n  %s", len(wrong), strings.ReplaceAll(errors.Join(wrong...).Error(), "\n", "\n  "))
	}
	return nil
}
