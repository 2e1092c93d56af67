package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/BurntSushi/toml"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/cmd/pipeline/choose"
	"wsss/configs"
	"wsss/data/words"
	"wsss/models/foundation/features"
	"wsss/models/nearest"
)

const chooseIntro = `
wsss data choose proposes which photos to label first: a batch as diverse as it
can be, by the features of a frozen network, each photo the farthest from all
chosen before it. Near-duplicates are found on the way, and of each group only
the first counts. The same photos give the same batch.

  wsss data choose -n 50 photos/
  wsss data choose -n 50 -features efficientnet-lite0 -out first.txt photos/
  wsss data choose -n 20 -taken first.txt -out second.txt photos/
  wsss data choose -n 0 -same 0.98 photos/                    near-duplicates alone
  wsss data choose -n 50 -config my.toml -split train -features weights/dino.onnx -with patch=14

The ids are printed one a line, or written to -out; lines that begin with # tell
of near-duplicates. Networks: a model of wsss models list of family features,
clip, efficientnet or resnet, or a file (docs/retrieve.md).`

func runChoose(ctx context.Context, args []string) error {
	f := newDataFlags("data choose", chooseIntro)
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
	table, err := featuresTable(*network, with, *cache)
	if err != nil {
		return err
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
	fmt.Fprintf(stdout, "# %s, of which %d are near-duplicates of others (cosine of at least %v)\n", words.Plural(len(photos.IDs), "photo"), batch.Extra, *same)
	for _, g := range batch.Duplicates {
		fmt.Fprintf(stdout, "#   %s: %s\n", g[0], strings.Join(g[1:], " "))
	}
	if len(batch.IDs) < *n {
		fmt.Fprintf(stdout, "# there are only %d to choose from\n", len(batch.IDs))
	}
	return writeIDs(*out, batch.IDs)
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

// featuresTable is the network's, of the flags.
func featuresTable(network string, with []string, cache string) (features.Table, error) {
	var t features.Table
	keys := map[string]any{}
	if _, err := toml.Decode(strings.Join(with, "\n"), &keys); err != nil {
		return t, pipeline.Usagef("data choose: -with %s: allowed are keys of the network's table with their values, as in side=448 or norm=\"clip\"", strings.Join(with, " "))
	}
	if err := configs.Decode("features", keys, &t); err != nil {
		return t, pipeline.UsageError{Err: err}
	}
	if _, err := os.Stat(network); err == nil {
		t.Network = network
	} else {
		t.Model = network
	}
	t.Cache = cmp.Or(cache, t.Cache)
	if err := t.Check("features"); err != nil {
		return t, pipeline.UsageError{Err: err}
	}
	return t, nil
}

// writeIDs prints ids, or writes them to a file.
func writeIDs(file string, ids []string) error {
	write := func(w io.Writer) error {
		for _, id := range ids {
			if _, err := fmt.Fprintln(w, id); err != nil {
				return err
			}
		}
		return nil
	}
	if file == "" {
		return write(stdout)
	}
	if err := files.WriteAtomic(file, write); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s in %s\n", words.Plural(len(ids), "photo"), file)
	return nil
}
