package configs

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// moved says where the keys of earlier versions are now: by the table, the key
// and its new place below the table.
var moved = map[string]map[string]string{
	"train": {
		"arch": "network.arch", "backbone": "network.backbone", "width": "network.width", "output_stride": "network.output_stride",
		"stride_in": "network.stride_in", "msc": "network.msc", "init": "network.init", "input": "network.input",
		"batch_norm": "network.batch_norm", "bn_momentum": "network.bn_momentum",
		"crop": "augment.crop", "crop_at": "augment.crop_at", "scales": "augment.scales", "scale_range": "augment.scale_range",
		"scale_by": "augment.scale_by", "flip": "augment.flip", "blur": "augment.blur",
		"optimizer": "optimizer.name", "lr": "optimizer.lr", "head_mult": "optimizer.head_mult", "bias_mult": "optimizer.bias_mult",
		"momentum": "optimizer.momentum", "weight_decay": "optimizer.weight_decay", "poly_power": "optimizer.poly_power",
		"lr_min": "optimizer.lr_min", "lr_every": "optimizer.lr_every", "ema": "optimizer.ema",
		"confidence": "noise.confidence", "confidence_min": "noise.confidence_min", "bootstrap": "noise.bootstrap",
		"loss_clip": "noise.loss_clip", "noise_warmup": "noise.warmup",
		"self_rounds": "self_training.rounds", "self_min": "self_training.min", "self_rule": "self_training.rule", "self_start": "self_training.start",
		"checkpoint_every": "checkpoint.every", "keep": "checkpoint.keep", "val_every": "checkpoint.val_every",
		"val_images": "checkpoint.val_images", "tensorboard": "checkpoint.tensorboard", "diverge": "checkpoint.diverge",
		"precision": "compute.precision", "recompute": "compute.recompute", "devices": "compute.devices", "workers": "compute.workers",
	},
	"classifier": {
		"backbone": "network.backbone", "width": "network.width", "stride_in": "network.stride_in", "init": "network.init",
		"batch_norm": "network.batch_norm", "cut_after": "network.cut_after",
		"long": "augment.long", "crop": "augment.crop", "flip": "augment.flip",
		"optimizer": "optimizer.name", "lr": "optimizer.lr", "head_mult": "optimizer.head_mult", "momentum": "optimizer.momentum",
		"weight_decay": "optimizer.weight_decay", "poly_power": "optimizer.poly_power",
		"checkpoint_every": "checkpoint.every", "keep": "checkpoint.keep", "val_every": "checkpoint.val_every",
		"devices": "compute.devices", "workers": "compute.workers",
	},
	"finetune_clip": {
		"model": "network.model", "encoder": "network.encoder", "output": "network.output", "size": "network.size",
		"head": "network.head", "freeze": "network.freeze",
		"loss": "loss.name", "unknown": "loss.unknown", "gamma_pos": "loss.gamma_pos", "gamma_neg": "loss.gamma_neg", "margin": "loss.margin",
		"augment": "augment.name",
		"lr":      "optimizer.lr", "head_mult": "optimizer.head_mult", "lr_min": "optimizer.lr_min", "warm_up": "optimizer.warm_up",
		"weight_decay": "optimizer.weight_decay", "layer_decay": "optimizer.layer_decay",
		"calibrate": "thresholds.calibrate", "beta": "thresholds.beta", "ensemble": "thresholds.ensemble",
		"checkpoint_every": "checkpoint.every", "keep": "checkpoint.keep", "val_every": "checkpoint.val_every",
		"precision": "compute.precision", "recompute": "compute.recompute", "devices": "compute.devices", "workers": "compute.workers",
	},
}

// Renamed is a key of an earlier version, and its name today.
type Renamed struct{ Old, New string }

// String is "train.lr is train.optimizer.lr".
func (r Renamed) String() string { return r.Old + " is " + r.New }

// move puts the keys of earlier versions where they are today, and tells which
// they were, sorted. A key that a tree has twice, by both names, is an error.
func move(tree map[string]any) (old []Renamed, err error) {
	for table, keys := range moved {
		t, ok := tree[table].(map[string]any)
		if !ok {
			continue
		}
		// A group may have the name of a key, which goes first: train.optimizer was
		// a word.
		names := slices.SortedFunc(maps.Keys(keys), func(a, b string) int {
			return cmp.Or(boolCompare(named(b, keys), named(a, keys)), strings.Compare(a, b))
		})
		for _, key := range names {
			value, given := t[key]
			if _, isGroup := value.(map[string]any); !given || isGroup && named(key, keys) {
				continue
			}
			delete(t, key)
			group, name, _ := strings.Cut(keys[key], ".")
			r := Renamed{table + "." + key, table + "." + keys[key]}
			below, isTable := t[group].(map[string]any)
			if word, given := t[group]; given && !isTable {
				return nil, fmt.Errorf("%s.%s = %v: allowed is a table", table, group, word)
			}
			if below == nil {
				below = map[string]any{}
			}
			if _, twice := below[name]; twice {
				return nil, fmt.Errorf("%s and %s are one key: give %s alone", r.Old, r.New, r.New)
			}
			below[name] = inUnits(table, key, value)
			t[group] = below
			old = append(old, r)
		}
	}
	slices.SortFunc(old, func(a, b Renamed) int { return strings.Compare(a.Old, b.Old) })
	return old, nil
}

// named tells whether the group that a key is in has its name.
func named(key string, keys map[string]string) bool { return strings.HasPrefix(keys[key], key+".") }

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// inUnits turns a value of an earlier version into today's units: validations of
// the classifiers were counted in epochs, and no checkpoint_every meant one.
func inUnits(table, key string, value any) any {
	n, isInt := value.(int64)
	if table == "train" || !isInt || n < 0 {
		return value
	}
	switch {
	case key == "val_every" && n > 0:
		return Epochs(int(min(n, maxEvery))).String()
	case key == "checkpoint_every" && n == 0:
		return Epochs(1).String()
	}
	return value
}

// DecodeTrain reads a [train] table alone, such as a checkpoint holds, by the
// keys of any version. Fields keep their value where their key is missing.
func DecodeTrain(text string, t *Train) error {
	table := map[string]any{}
	if err := toml.Unmarshal([]byte(text), &table); err != nil {
		return err
	}
	if _, err := move(map[string]any{"train": table}); err != nil {
		return err
	}
	return Decode("train", table, t)
}
