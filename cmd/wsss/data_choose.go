package main

import (
	"context"
	"fmt"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/cmd/pipeline/choose"
	"wsss/data/words"
	"wsss/models/nearest"
)

func runChoose(ctx context.Context, args []string) error {
	f := newDataFlags("data choose")
	n := f.Int("n", 50, "`photos` to choose; 0 = near-duplicates alone")
	network := f.String("features", "dinov2-small", "`network`: a model of wsss models list, or an .onnx, .pth or .safetensors file")
	var with list
	f.Var(&with, "with", "`key=value` of the network's table, such as side=448; may be repeated")
	cache := f.String("cache", "", "`folder` that keeps features, so that a photo is encoded once")
	same := f.Float64("same", 0.97, "`cosine` of two photos' features from which they are near-duplicates")
	known := f.String("taken", "", "`file` of ids, one a line, of photos that are labelled already: the batch is far from them, too")
	out := f.String("out", "", "`file` for the ids; default standard output")
	f.StringVar(&f.backend, "backend", "", "`engine`: go, onnx, xla:…; default the fastest that works here")
	if err := f.parse(args, 1); err != nil {
		return err
	}
	switch {
	case *n < 0:
		return pipeline.Usagef("data choose: -n %d: allowed are 0 and more", *n)
	case !(*same > 0 && *same <= 1):
		return pipeline.Usagef("data choose: -same %v: allowed are numbers above 0, up to 1", *same)
	}
	photos, err := photosToChoose(f)
	if err != nil {
		return err
	}
	var taken []int
	if *known != "" {
		if taken, err = photos.Listed(*known); err != nil {
			return err
		}
	}
	table, err := choose.Network(*network, with, *cache)
	if err != nil {
		return pipeline.UsageError{Err: err}
	}
	var index *nearest.Index
	err = f.show("look at photos", func(progress func(done, total int)) (err error) {
		index, err = photos.Encode(ctx, f.backend, table, progress)
		return err
	})
	if err != nil {
		return err
	}
	batch, err := photos.Choose(ctx, index, *n, *same, taken)
	if err != nil {
		return err
	}
	batch.WriteText(stdout, len(photos.IDs), *n, *same)
	if *out == "" {
		return batch.WriteIDs(stdout)
	}
	if err := files.WriteAtomic(*out, batch.WriteIDs); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s in %s\n", words.Plural(len(batch.IDs), "photo"), *out)
	return nil
}

// photosToChoose are those of a folder, or of a dataset.
func photosToChoose(f *dataFlags) (choose.Photos, error) {
	if f.NArg() == 1 {
		if f.config != "" || f.kind != "" || f.root != "" {
			return choose.Photos{}, pipeline.Usagef("data choose: a folder of photos, -config, or -kind with -root: allowed is one of them")
		}
		return choose.InFolder(f.Arg(0))
	}
	ds, splits, err := f.open()
	if err != nil {
		return choose.Photos{}, err
	}
	return choose.OfDataset(ds, splits)
}
