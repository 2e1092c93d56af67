package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/data"
	_ "wsss/data/all" // dataset kinds
)

func init() {
	register(command{name: "data", short: "check a dataset, derive weak labels from masks, generate scenes", run: runData})
}

// dataCommands are the tools below `wsss data`.
var dataCommands = []command{
	{name: "validate", short: "read everything, name each bad file, pixel value and label", run: runValidate},
	{name: "weaken", short: "masks to tags, points, scribbles and boxes, with a seed", run: runWeaken},
	{name: "export", short: "label maps to COCO, YOLO, CVAT, labelme, overlays", run: runExport},
	{name: "convert", short: "labels of any tool's format to any other", run: runConvert},
	{name: "choose", short: "which photos to label first: a diverse batch; near-duplicates", run: runChoose},
	{name: "pack", short: "a dataset, and its pseudo-labels, as a few tar files", run: runPack},
	{name: "scenes", short: "generate a labelled dataset, nothing downloaded", run: runScenes},
	{name: "openimages", short: "select the classes of VOC or COCO from the Open Images CSV files", run: runOpenImages},
}

func runData(ctx context.Context, args []string) error {
	return group{"data", "command", dataCommands, func() {
		fmt.Fprintln(stdout, "wsss data: tools for datasets.\n\nCommands:")
		for _, c := range dataCommands {
			fmt.Fprintf(stdout, "  data %-9s %s\n", c.name, c.short)
		}
		fmt.Fprintf(stdout, "\nDataset kinds: %s. `wsss data COMMAND -h` shows flags and examples.\n", strings.Join(data.Kinds(), ", "))
	}}.run(ctx, args)
}

// dataFlags name a dataset: a run's config, or a kind and a folder.
type dataFlags struct {
	*flags
	kind, root string
	splits     list
	cfg        configs.Config // once open has read it
}

func newDataFlags(name, intro string) *dataFlags {
	f := &dataFlags{flags: newFlags(name, intro)}
	f.StringVar(&f.config, "config", "", "take the dataset of a run's TOML `file`")
	f.Var(&f.set, "set", "override one key, as `key=value`; may be repeated (-set data.options.masks=truth)")
	f.StringVar(&f.kind, "kind", "", "dataset `kind`, in place of a config: "+strings.Join(data.Kinds(), ", "))
	f.StringVar(&f.root, "root", "", "`folder` of the dataset")
	f.Var(&f.splits, "split", "`name` of a split; may be repeated; default: the config's train and val splits, else everything")
	f.BoolVar(&f.quiet, "quiet", false, "no progress bars")
	return f
}

// open opens the dataset and chooses its splits.
func (f *dataFlags) open() (data.Dataset, []string, error) {
	if f.config == "" && (f.kind == "" || f.root == "") {
		return nil, nil, pipeline.Usagef("%s: name the dataset: -config FILE, or -kind folder -root DIR (kinds: %s)", f.Name(), strings.Join(data.Kinds(), ", "))
	}
	cfg, err := configs.Load(f.config, f.set)
	if err != nil {
		return nil, nil, pipeline.UsageError{Err: err}
	}
	if f.kind != "" {
		cfg.Data.Kind = f.kind
	}
	if f.root != "" {
		cfg.Data.Root = f.root
	}
	if err := pipeline.Mount(&cfg); err != nil {
		return nil, nil, pipeline.UsageError{Err: err}
	}
	f.cfg = cfg
	if _, err := files.Stat(cfg.Data.Root); err != nil && cfg.Data.Kind != "scenes" {
		return nil, nil, pipeline.UsageError{Err: err}
	}
	ds, err := pipeline.OpenData(cfg.Data, cfg.Seed)
	if errors.As(err, new(*configs.KeyError)) {
		return nil, nil, pipeline.InFile(f.config, pipeline.UsageError{Err: err})
	}
	if err != nil {
		return nil, nil, err // a dataset that is wrong, not a command line
	}
	return ds, f.chooseSplits(ds, cfg), nil
}

func (f *dataFlags) chooseSplits(ds data.Dataset, cfg configs.Config) []string {
	if len(f.splits) > 0 {
		return f.splits
	}
	if f.config != "" {
		return slices.Compact([]string{cfg.Data.TrainSplit, cfg.Data.ValSplit})
	}
	for _, whole := range []string{"all", "trainval"} {
		if slices.Contains(ds.Splits(), whole) {
			return []string{whole}
		}
	}
	return ds.Splits()
}
