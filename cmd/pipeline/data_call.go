package pipeline

import (
	"slices"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
)

// DataCall names a dataset for tools that have no run: that of a run's config, or one
// of a kind in a folder.
type DataCall struct {
	File       string   // the config; "" = none
	Set        []string // key=value that override it
	Kind, Root string   // in place of the config's; "" = those
	Splits     []string // none = the config's train and val splits, without a config everything
}

// Open opens the dataset and chooses its splits. Addresses of object storage in the
// config become paths.
func (c DataCall) Open() (cfg configs.Config, ds data.Dataset, splits []string, err error) {
	set := c.Set
	if c.Kind != "" {
		set = append(slices.Clone(set), "data.kind="+c.Kind)
	}
	if cfg, err = configs.Load(c.File, set); err != nil {
		return cfg, nil, nil, UsageError{Err: err}
	}
	if c.Root != "" {
		cfg.Data.Root = c.Root
	}
	if err := Mount(&cfg); err != nil {
		return cfg, nil, nil, InFile(c.File, UsageError{Err: err})
	}
	if _, err := files.Stat(cfg.Data.Root); err != nil && cfg.Data.Kind != "scenes" && cfg.Data.Root != "" {
		return cfg, nil, nil, InFile(c.File, UsageError{Err: err})
	}
	if ds, err = OpenData(cfg.Data, cfg.Seed); err != nil {
		return cfg, nil, nil, InFile(c.File, err)
	}
	switch {
	case len(c.Splits) > 0:
		splits = c.Splits
	case c.File != "":
		splits = slices.Compact([]string{cfg.Data.TrainSplit, cfg.Data.ValSplit})
	default:
		splits = data.Whole(ds)
	}
	return cfg, ds, splits, nil
}
