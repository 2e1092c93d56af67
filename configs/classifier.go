package configs

import (
	"fmt"
	"math"
)

// Classifier trains a ResNet as a multi-label classifier on image tags, whose
// class activation maps the gen method "cam" takes. Defaults are IRN's (docs/sources.md
// §11.1).
type Classifier struct {
	Backbone  string  `toml:"backbone"`   // a registered backbone, such as resnet50
	Width     float64 `toml:"width"`      // channel multiplier; 1 = the published size
	StrideIn  string  `toml:"stride_in"`  // bottleneck convolution that strides: "3x3" (torchvision) or "1x1" (Caffe)
	Init      string  `toml:"init"`       // weights file: torchvision's, or an earlier classifier; "" = random
	BatchNorm string  `toml:"batch_norm"` // running (running statistics; scale and shift learn), frozen (nothing learns), train (statistics of the batch, for a random start)
	CutAfter  int     `toml:"cut_after"`  // the gradient ends behind the stem and so many stages; 0 = everything learns

	Epochs    int     `toml:"epochs"`
	Batch     int     `toml:"batch"`
	Optimizer string  `toml:"optimizer"` // "sgd", or "adamw" for short runs from a random start
	LR        float64 `toml:"lr"`
	HeadMult  float64 `toml:"head_mult"` // × lr for the classifier
	// Momentum of sgd. IRN, ReCAM and PSA pass the weight decay in its place, so
	// theirs is 1e-4; "momentum 0.9" in their code is the poly exponent.
	Momentum    float64 `toml:"momentum"`
	WeightDecay float64 `toml:"weight_decay"`
	PolyPower   float64 `toml:"poly_power"`

	Long    []int  `toml:"long"`    // [min, max]: the long side is resized to a random whole number between; empty = as it is
	Crop    int    `toml:"crop"`    // side of the square canvas
	Flip    bool   `toml:"flip"`    // mirror half of the images
	Unknown string `toml:"unknown"` // classes that nobody checked (Open Images): ignore or absent

	Devices         int `toml:"devices" json:",omitempty"` // devices that share each batch; 0 = 1
	Workers         int `toml:"workers"`                   // decode and augmentation goroutines; 0 = one per CPU
	CheckpointEvery int `toml:"checkpoint_every"`          // updates between checkpoints; 0 = one per epoch
	Keep            int `toml:"keep"`                      // checkpoints kept beside the last and the best
	ValEvery        int `toml:"val_every"`                 // epochs between validations; 0 = only at the end
}

func defaultClassifier() Classifier {
	return Classifier{
		Backbone: "resnet50", Width: 1, StrideIn: "3x3", BatchNorm: "running", CutAfter: 2,
		Epochs: 5, Batch: 16, Optimizer: "sgd", LR: 0.1, HeadMult: 10, Momentum: 1e-4, WeightDecay: 1e-4, PolyPower: 0.9,
		Long: []int{320, 640}, Crop: 512, Flip: true, Unknown: "ignore", Keep: 1, ValEvery: 1,
	}
}

func (c Classifier) validate(v *validator) {
	const at = "classifier."
	v.plugIn(at+"backbone", c.Backbone, Backbones)
	v.that(c.Width > 0 && c.Width <= 4, at+"width", c.Width, "a number in (0, 4]")
	v.oneOf(at+"stride_in", c.StrideIn, "3x3", "1x1")
	v.oneOf(at+"batch_norm", c.BatchNorm, "running", "frozen", "train")
	v.that(c.CutAfter >= 0 && c.CutAfter <= 3, at+"cut_after", c.CutAfter, "0 to 3")
	v.oneOf(at+"optimizer", c.Optimizer, "sgd", "adamw")
	v.oneOf(at+"unknown", c.Unknown, "ignore", "absent")
	v.atLeast(at+"epochs", c.Epochs, 1)
	v.atLeast(at+"batch", c.Batch, 1)
	v.positive(at+"lr", c.LR)
	for key, x := range map[string]float64{"head_mult": c.HeadMult, "weight_decay": c.WeightDecay, "poly_power": c.PolyPower} {
		v.that(x >= 0 && !math.IsInf(x, 0), at+key, x, "a number >= 0")
	}
	v.that(c.Momentum >= 0 && c.Momentum < 1, at+"momentum", c.Momentum, "a number in [0, 1)")
	v.that(len(c.Long) == 0 || len(c.Long) == 2 && c.Long[0] >= 16 && c.Long[0] <= c.Long[1] && c.Long[1] <= 8192, at+"long", fmt.Sprint(c.Long), "[min, max] in 16 to 8192, or empty")
	v.that(c.Crop >= 32 && c.Crop <= 4096, at+"crop", c.Crop, "32 to 4096 pixels")
	v.atLeast(at+"devices", c.Devices, 0)
	v.atLeast(at+"workers", c.Workers, 0)
	v.atLeast(at+"checkpoint_every", c.CheckpointEvery, 0)
	v.atLeast(at+"keep", c.Keep, 0)
	v.atLeast(at+"val_every", c.ValEvery, 0)
}

// ClassifierHash identifies what one training of the classifier depends on
// beside the files of the weights and the images.
func (c Config) ClassifierHash() string {
	d, k := c.Data, c.Classifier
	d.Root, d.ValSplit = "", ""
	k.Init, k.Devices, k.Workers, k.CheckpointEvery, k.Keep, k.ValEvery = "", 0, 0, 0, 0, 0
	return hash(c.Seed, d, k)
}
