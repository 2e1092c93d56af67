package configs

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Validate checks every key that does not belong to a plug-in. The error names
// the key, its value and what is allowed. Names of datasets and methods are
// checked where they are opened, by their registries.
func (c Config) Validate() error {
	v := &validator{}
	v.that(c.Out != "", "out", c.Out, "a folder")
	v.that(c.Data.Kind != "", "data.kind", c.Data.Kind, "a dataset kind")
	v.that(c.Data.TrainSplit != "", "data.train_split", c.Data.TrainSplit, "a split name")
	v.that(c.Data.ValSplit != "", "data.val_split", c.Data.ValSplit, "a split name")
	c.Gen.validate(v, "gen")
	names := map[string]bool{}
	for i, o := range c.Compare {
		key := fmt.Sprintf("compare[%d]", i)
		v.that(o.Name != "", key+".name", o.Name, "a name for the table")
		v.that(!names[o.Name], key+".name", o.Name, "a name used once")
		o.Gen(0).validate(v, key)
		names[o.Name] = true
	}
	for i, n := range c.Needs {
		n.validate(v, fmt.Sprintf("needs[%d]", i))
	}
	c.Train.validate(v)
	c.Eval.validate(v)
	c.FineTuneCLIP.validate(v)
	c.Classifier.validate(v)
	c.IRN.validate(v)
	return v.err
}

func (g Gen) validate(v *validator, key string) {
	v.that(g.Method != "", key+".method", g.Method, "a method name")
	v.oneOf(key+".weak", g.Weak, "none", "tags", "points", "scribbles", "boxes", "exemplars")
	v.atLeast(key+".workers", g.Workers, 0)
	g.Fuse.validate(v, key+".fuse")
	for i, c := range g.Checks {
		v.oneOf(fmt.Sprintf("%s.checks[%d]", key, i), c, "flip", "scale")
	}
}

func (f Fuse) validate(v *validator, key string) {
	v.plugIn(key+".rule", f.Rule, FuseRules)
	v.atLeast(key+".ignore_band", f.IgnoreBand, 0)
	v.atLeast(key+".min_area", f.MinArea, 0)
	v.that(f.NMS >= 0 && f.NMS <= 1, key+".nms", f.NMS, "a number in [0, 1]")
	v.that(f.Margin >= 0 && f.Margin <= 1, key+".margin", f.Margin, "a number in [0, 1]")
	v.that(f.MinScore >= 0 && f.MinScore <= 1, key+".min_score", f.MinScore, "a number in [0, 1]")
}

// maxCrop bounds the side of a training crop, in pixels.
const maxCrop = 1 << 13

// Validate tells whether every key is in range; the error names the first
// that is not, and what is allowed.
func (t Train) Validate() error {
	v := &validator{}
	t.validate(v)
	return v.err
}

func (t Train) validate(v *validator) {
	v.plugIn("train.network.arch", t.Arch, Architectures)
	v.plugIn("train.network.backbone", t.Backbone, Backbones)
	v.that(t.Width > 0 && t.Width <= 4, "train.network.width", t.Width, "a number in (0, 4]")
	v.outputStride(t.Arch, t.OutputStride)
	v.oneOf("train.network.stride_in", t.StrideIn, "1x1", "3x3")
	v.oneOf("train.network.input", t.Input, Inputs...)
	v.oneOf("train.network.batch_norm", t.BatchNorm, "frozen", "head", "train")
	v.that(t.BNMomentum >= 0 && t.BNMomentum <= 1, "train.network.bn_momentum", t.BNMomentum, "a number in [0, 1]")
	v.atLeast("train.iterations", t.Iterations, 1)
	v.atLeast("train.batch", t.Batch, 1)
	v.atLeast("train.accumulate", t.Accumulate, 1)
	v.that(t.Crop >= 33 && t.Crop <= maxCrop, "train.augment.crop", t.Crop, fmt.Sprintf("an integer from 33 to %d", maxCrop))
	v.that(len(t.ScaleRange) == 0 || len(t.ScaleRange) == 2 && t.ScaleRange[0] <= t.ScaleRange[1],
		"train.augment.scale_range", t.ScaleRange, "[min, max], or empty to use train.augment.scales")
	for _, s := range slices.Concat(t.Scales, t.ScaleRange) {
		v.that(s >= 0.05 && s <= 10, "train.augment.scales", s, "numbers in [0.05, 10]")
	}
	v.that(len(t.Scales)+len(t.ScaleRange) > 0, "train.augment.scales", t.Scales, "at least one number ([1.0] for none)")
	v.oneOf("train.augment.crop_at", t.CropAt, "random", "center")
	v.plugIn("train.optimizer.name", t.Optimizer, Optimizers)
	v.positive("train.optimizer.lr", t.LR)
	v.notNegative("train.optimizer.head_mult", t.HeadMult)
	v.notNegative("train.optimizer.bias_mult", t.BiasMult)
	v.notNegative("train.optimizer.weight_decay", t.WeightDecay)
	v.notNegative("train.optimizer.poly_power", t.PolyPower)
	v.notNegative("train.optimizer.lr_min", t.LRMin)
	v.that(t.Momentum >= 0 && t.Momentum < 1, "train.optimizer.momentum", t.Momentum, "a number in [0, 1)")
	v.atLeast("train.optimizer.lr_every", t.LREvery, 1)
	v.oneOf("train.network.msc_grid", t.MSCGrid, "", "size", "factor")
	v.oneOf("train.augment.scale_by", t.ScaleBy, "", "image", "crop", "crop-long")
	v.oneOf("train.augment.resize", t.Resize, "", "bilinear", "antialias")
	v.oneOf("train.augment.pad", t.Pad, "", "corner", "around")
	v.that(t.Blur >= 0 && t.Blur <= 1, "train.augment.blur", t.Blur, "a number in [0, 1]")
	v.oneOf("train.compute.precision", t.Precision, "", "float32", "tf32", "bf16")
	v.atLeast("train.compute.recompute", t.Recompute, 0)
	v.atLeast("train.compute.devices", t.Devices, 0)
	v.atLeast("train.self_training.rounds", t.SelfRounds, 0)
	v.that(t.SelfMin >= 0 && t.SelfMin < 1, "train.self_training.min", t.SelfMin, "a number in [0, 1)")
	v.oneOf("train.self_training.rule", t.SelfRule, append([]string{""}, SelfRules...)...)
	v.oneOf("train.self_training.start", t.SelfStart, "", "init", "last")
	v.that(t.Diverge == 0 || t.Diverge > 1 && !math.IsInf(t.Diverge, 0), "train.checkpoint.diverge", t.Diverge, "0, or a number > 1")
	v.that(t.EMA >= 0 && t.EMA < 1, "train.optimizer.ema", t.EMA, "a number in [0, 1)")
	v.atLeast("train.compute.workers", t.Workers, 0)
	v.every("train.checkpoint.every", t.CheckpointEvery, 1)
	v.atLeast("train.checkpoint.keep", t.Keep, 0)
	v.every("train.checkpoint.val_every", t.ValEvery, 0)
	v.atLeast("train.checkpoint.val_images", t.ValImages, 0)
	t.Mask2Former.validate(v, "train.mask2former")
	t.validateNoise(v)
	t.validateLearning(v)
}

func (e Eval) validate(v *validator) {
	for _, s := range e.Scales {
		v.that(s >= 0.05 && s <= 10, "eval.scales", s, "numbers in [0.05, 10]")
	}
	v.that(len(e.Scales) > 0, "eval.scales", e.Scales, "at least one number ([1.0] for the plain image)")
	v.that(e.Bucket >= 0 && e.Bucket <= 512, "eval.bucket", e.Bucket, "0..512 pixels: 1 for every photo's own size, 0 for what suits the engine")
	v.atLeast("eval.overlays", e.Overlays, 0)
	v.atLeast("eval.workers", e.Workers, 0)
	v.that(e.HourlyPrice >= 0 && !math.IsInf(e.HourlyPrice, 0), "eval.hourly_price", e.HourlyPrice, "a number >= 0")
	seen := map[string]bool{}
	for i, a := range e.Against {
		key := fmt.Sprintf("eval.against[%d]", i)
		v.that(a.Name != "", key+".name", a.Name, "a name for the table")
		v.that(a.Dir != "", key+".dir", a.Dir, "a folder of label PNGs")
		v.that(!seen[a.Name], key+".name", a.Name, "a name used once")
		seen[a.Name] = true
	}
	for i, z := range e.ZeroShot {
		key := fmt.Sprintf("eval.zero_shot[%d]", i)
		v.that(z.Name != "", key+".name", z.Name, "a name for the table")
		v.that(!seen[z.Name], key+".name", z.Name, "a name used once")
		v.that(z.Method != "", key+".method", z.Method, "a method name")
		z.Fuse.validate(v, key+".fuse")
		seen[z.Name] = true
	}
	for i, t := range e.TestTime {
		t.validate(v, fmt.Sprintf("eval.test_time[%d]", i))
	}
	for i, n := range e.Network {
		key := fmt.Sprintf("eval.network[%d]", i)
		n.validate(v, key)
		v.that(!seen[n.Name], key+".name", n.Name, "a name used once")
		seen[n.Name] = true
	}
	for i, r := range e.Rows {
		key := fmt.Sprintf("eval.row[%d]", i)
		r.validate(v, key)
		v.that(!seen[r.Name], key+".name", r.Name, "a name used once")
		seen[r.Name] = true
	}
	for i, o := range e.ONNX {
		key := fmt.Sprintf("eval.onnx[%d]", i)
		o.validate(v, key)
		v.that(!seen[o.Name], key+".name", o.Name, "a name used once")
		seen[o.Name] = true
	}
}

// validator keeps the first failure.
type validator struct{ err error }

func (v *validator) that(ok bool, key string, value any, allowed string) {
	if ok || v.err != nil {
		return
	}
	if s, isString := value.(string); isString {
		value = fmt.Sprintf("%q", s)
	}
	v.err = fmt.Errorf("%s = %v: allowed is %s", key, value, allowed)
}

func (v *validator) oneOf(key, value string, allowed ...string) {
	names := slices.Clone(allowed)
	if i := slices.Index(names, ""); i >= 0 {
		names[i] = `""`
	}
	v.that(slices.Contains(allowed, value), key, value, "one of "+strings.Join(names, ", "))
}

func (v *validator) atLeast(key string, value, low int) {
	v.that(value >= low, key, value, fmt.Sprintf("an integer >= %d", low))
}

func (v *validator) notNegative(key string, value float64) {
	v.that(value >= 0 && !math.IsInf(value, 0), key, value, "a number >= 0")
}

func (v *validator) every(key string, value Every, low int) {
	v.that(value.Updates(1) >= low, key, value, fmt.Sprintf("an integer >= %d, the updates between, or text such as \"2 epochs\"", low))
}

func (v *validator) positive(key string, value float64) {
	v.that(value > 0 && !math.IsInf(value, 0), key, value, "a number > 0")
}
