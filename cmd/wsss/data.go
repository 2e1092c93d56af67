package main

import (
	"context"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/data"
	_ "wsss/data/all" // dataset kinds
)

// dataCommands are the tools below `wsss data`.
var dataCommands = []command{
	{Name: "validate", Short: "read everything, name each bad file, pixel value and label", run: runValidate},
	{Name: "weaken", Short: "masks to tags, points, scribbles and boxes, with a seed", run: runWeaken},
	{Name: "export", Short: "label maps to COCO, YOLO, CVAT, labelme, overlays", run: runExport},
	{Name: "convert", Short: "labels of any tool's format to any other", run: runConvert},
	{Name: "choose", Short: "which photos to label first: a diverse batch; near-duplicates", run: runChoose},
	{Name: "pack", Short: "a dataset, and its pseudo-labels, as a few tar files", run: runPack},
	{Name: "scenes", Short: "generate a labelled dataset, nothing downloaded", run: runScenes},
	{Name: "openimages", Short: "select the classes of VOC or COCO from the Open Images CSV files", run: runOpenImages},
}

func runData(ctx context.Context, args []string) error {
	return group{"data", "command", dataCommands, stdout}.run(ctx, args)
}

// dataFlags name a dataset: a run's config, or a kind and a folder.
type dataFlags struct {
	*flags
	kind, root string
	splits     list
	cfg        configs.Config // once open has read it
}

func newDataFlags(name string) *dataFlags {
	f := &dataFlags{flags: newFlags(name)}
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
	c := pipeline.DataCall{File: f.config, Set: f.set, Kind: f.kind, Root: f.root, Splits: f.splits}
	cfg, ds, splits, err := c.Open()
	f.cfg = cfg
	return ds, splits, err
}
