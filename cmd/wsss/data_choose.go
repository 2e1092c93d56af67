package main

import (
	"context"

	"wsss/cmd/pipeline"
	"wsss/cmd/pipeline/choose"
)

func runChoose(ctx context.Context, args []string) error {
	f := newDataFlags("data choose")
	var c choose.Call
	f.IntVar(&c.N, "n", 50, "`photos` to choose; 0 = near-duplicates alone")
	f.StringVar(&c.Network, "features", "dinov2-small", "`network`: a model of wsss models list, or an .onnx, .pth or .safetensors file")
	f.Var((*list)(&c.With), "with", "`key=value` of the network's table, such as side=448; may be repeated")
	f.StringVar(&c.Cache, "cache", "", "`folder` that keeps features, so that a photo is encoded once")
	f.Float64Var(&c.Same, "same", 0.97, "`cosine` of two photos' features from which they are near-duplicates")
	f.StringVar(&c.Taken, "taken", "", "`file` of ids, one a line, of photos that are labelled already: the batch is far from them, too")
	f.StringVar(&c.Out, "out", "", "`file` for the ids; default standard output")
	f.StringVar(&c.Engine, "backend", "", "`engine`: go, onnx, xla:…; default the fastest that works here")
	if err := f.parse(args, 1); err != nil {
		return err
	}
	if err := c.Check(); err != nil {
		return err
	}
	photos, err := photosToChoose(f)
	if err != nil {
		return err
	}
	return c.Run(ctx, photos, stdout, func(work func(progress func(done, total int)) error) error { return f.show("look at photos", work) })
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
