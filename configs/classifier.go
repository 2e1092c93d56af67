package configs

import (
	"cmp"
	"fmt"
)

// Classifier trains a ResNet as a multi-label classifier on image tags, whose
// class activation maps the gen method "cam" takes. Defaults are IRN's (docs/sources.md
// §11.1).
type Classifier struct {
	Epochs  int    `toml:"epochs" hash:"7"`
	Batch   int    `toml:"batch" hash:"8"`
	Unknown string `toml:"unknown" hash:"18"` // classes that nobody checked (Open Images): ignore or absent

	ClassifierNetwork    `toml:"network"`
	ClassifierAugment    `toml:"augment"`
	ClassifierOptimizer  `toml:"optimizer"`
	ClassifierCheckpoint `toml:"checkpoint"`
	ClassifierCompute    `toml:"compute"`
	ReCAM                `toml:"recam"`
}

// ReCAM trains a classifier on (docs/sources.md §11.6): its maps are then those
// of ReCAM.
type ReCAM struct {
	ReCAMEpochs int     `toml:"epochs" hash:"30,omitempty"`                 // after those of the classifier; 0 = none, ReCAM: 4
	ReCAMLR     float64 `toml:"lr" hash:"31,omitempty"`                     // of the second classifier; all else learns at a tenth. 0 = ReCAM's 5e-4
	ReCAMWeight float64 `toml:"weight" hash:"32,omitempty"`                 // of the second classifier's loss; 0 = ReCAM's 1
	ReCAMMaps   string  `toml:"maps" json:",omitempty" hash:"34,omitempty"` // whose maps: "product" of both classifiers' weights (ReCAM's code), or "second"; "" = product
}

// WithDefaults fills in ReCAM's values.
func (r ReCAM) WithDefaults() ReCAM {
	r.ReCAMLR, r.ReCAMWeight = cmp.Or(r.ReCAMLR, 5e-4), cmp.Or(r.ReCAMWeight, 1)
	return r
}

// ClassifierNetwork is the network and where it starts.
type ClassifierNetwork struct {
	Backbone  string  `toml:"backbone" hash:"1"`                           // a registered backbone, such as resnet50
	Width     float64 `toml:"width" hash:"2"`                              // channel multiplier; 1 = the published size
	StrideIn  string  `toml:"stride_in" hash:"3"`                          // bottleneck convolution that strides: "3x3" (torchvision) or "1x1" (Caffe)
	Init      string  `toml:"init" hash:"4,zero"`                          // weights file: torchvision's, or an earlier classifier; "" = random
	BatchNorm string  `toml:"batch_norm" hash:"5"`                         // running (running statistics; scale and shift learn), frozen (nothing learns), train (statistics of the batch, for a random start)
	CutAfter  int     `toml:"cut_after" hash:"6"`                          // the gradient ends behind the stem and so many stages; 0 = everything learns
	Input     string  `toml:"input" json:",omitempty" hash:"33,omitempty"` // how photos are normalised: "torch" (RGB by ImageNet's mean and deviation), or "caffe" (BGR 0..255 less the mean: psa's VGG-16); "" = torch
}

// ClassifierAugment is how training images are changed.
type ClassifierAugment struct {
	Long []int `toml:"long" hash:"15"` // [min, max]: the long side is resized to a random whole number between; empty = as it is
	Crop int   `toml:"crop" hash:"16"` // side of the square canvas
	Flip bool  `toml:"flip" hash:"17"` // mirror half of the images
}

// ClassifierOptimizer is how weights learn.
type ClassifierOptimizer struct {
	Optimizer string  `toml:"name" hash:"9"` // a registered one: "sgd", or "adamw" for short runs from a random start
	LR        float64 `toml:"lr" hash:"10"`
	HeadMult  float64 `toml:"head_mult" hash:"11"` // × lr for the classifier
	// Momentum of sgd. IRN, ReCAM and PSA pass the weight decay in its place, so
	// theirs is 1e-4; "momentum 0.9" in their code is the poly exponent.
	Momentum    float64 `toml:"momentum" hash:"12"`
	WeightDecay float64 `toml:"weight_decay" hash:"13"`
	PolyPower   float64 `toml:"poly_power" hash:"14"`
}

// ClassifierCheckpoint is when a training is saved and validated.
type ClassifierCheckpoint struct {
	CheckpointEvery Every `toml:"every" hash:"20,zero"`     // between checkpoints
	Keep            int   `toml:"keep" hash:"21,zero"`      // checkpoints kept beside the last and the best
	ValEvery        Every `toml:"val_every" hash:"22,zero"` // between validations; 0 = only at the end
}

// ClassifierCompute is how a step is computed.
type ClassifierCompute struct {
	Devices int `toml:"devices" json:",omitempty" hash:"-"` // devices that share each batch; 0 = 1
	Workers int `toml:"workers" hash:"19,zero"`             // decode and augmentation goroutines; 0 = one per CPU
}

func defaultClassifier() Classifier {
	return Classifier{
		Epochs: 5, Batch: 16, Unknown: "ignore",
		ClassifierNetwork:    ClassifierNetwork{Backbone: "resnet50", Width: 1, StrideIn: "3x3", BatchNorm: "running", CutAfter: 2},
		ClassifierAugment:    ClassifierAugment{Long: []int{320, 640}, Crop: 512, Flip: true},
		ClassifierOptimizer:  ClassifierOptimizer{Optimizer: "sgd", LR: 0.1, HeadMult: 10, Momentum: 1e-4, WeightDecay: 1e-4, PolyPower: 0.9},
		ClassifierCheckpoint: ClassifierCheckpoint{CheckpointEvery: Epochs(1), Keep: 1, ValEvery: Epochs(1)},
	}
}

func (c Classifier) validate(v *validator) {
	const at = "classifier."
	v.plugIn(at+"network.backbone", c.Backbone, Backbones)
	v.that(c.Width > 0 && c.Width <= 4, at+"network.width", c.Width, "a number in (0, 4]")
	v.oneOf(at+"network.stride_in", c.StrideIn, "3x3", "1x1")
	v.oneOf(at+"network.batch_norm", c.BatchNorm, "running", "frozen", "train")
	v.oneOf(at+"network.input", c.Input, "", "torch", "caffe")
	v.that(c.CutAfter >= 0 && c.CutAfter <= 3, at+"network.cut_after", c.CutAfter, "0 to 3")
	v.plugIn(at+"optimizer.name", c.Optimizer, Optimizers)
	v.oneOf(at+"unknown", c.Unknown, "ignore", "absent")
	v.atLeast(at+"epochs", c.Epochs, 1)
	v.atLeast(at+"batch", c.Batch, 1)
	v.positive(at+"optimizer.lr", c.LR)
	v.notNegative(at+"optimizer.head_mult", c.HeadMult)
	v.notNegative(at+"optimizer.weight_decay", c.WeightDecay)
	v.notNegative(at+"optimizer.poly_power", c.PolyPower)
	v.that(c.Momentum >= 0 && c.Momentum < 1, at+"optimizer.momentum", c.Momentum, "a number in [0, 1)")
	v.that(len(c.Long) == 0 || len(c.Long) == 2 && c.Long[0] >= 16 && c.Long[0] <= c.Long[1] && c.Long[1] <= 8192, at+"augment.long", fmt.Sprint(c.Long), "[min, max] in 16 to 8192, or empty")
	v.that(c.Crop >= 32 && c.Crop <= 4096, at+"augment.crop", c.Crop, "32 to 4096 pixels")
	v.atLeast(at+"compute.devices", c.Devices, 0)
	v.atLeast(at+"compute.workers", c.Workers, 0)
	v.every(at+"checkpoint.every", c.CheckpointEvery, 0)
	v.atLeast(at+"checkpoint.keep", c.Keep, 0)
	v.every(at+"checkpoint.val_every", c.ValEvery, 0)
	v.atLeast(at+"recam.epochs", c.ReCAMEpochs, 0)
	v.notNegative(at+"recam.lr", c.ReCAMLR)
	v.notNegative(at+"recam.weight", c.ReCAMWeight)
	v.oneOf(at+"recam.maps", c.ReCAMMaps, "", "product", "second")
}
