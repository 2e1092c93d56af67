package configs

import (
	"cmp"
	"fmt"
	"math"
)

// IRN trains a network of inter-pixel relations on confident labels: IRN's, whose
// boundaries the gen method "irn" takes, or AffinityNet, whose features "affinitynet"
// takes. Defaults are IRN's (docs/sources.md §11.2).
type IRN struct {
	Kind   string `toml:"kind" json:",omitempty" hash:"16,omitempty"` // "irn", or "affinitynet"; "" = irn
	Labels string `toml:"labels" hash:"-"`                            // folder of confident label PNGs, 255 where nobody knows
	Epochs int    `toml:"epochs" hash:"1"`
	Batch  int    `toml:"batch" hash:"2"`
	Radius int    `toml:"radius" hash:"3"` // pixels of a quarter of the size that count as near

	IRNNetwork    `toml:"network"`
	IRNAugment    `toml:"augment"`
	IRNOptimizer  `toml:"optimizer"`
	IRNCheckpoint `toml:"checkpoint"`
	IRNCompute    `toml:"compute"`
}

// IRNNetwork is the network and where it starts.
type IRNNetwork struct {
	Backbone string  `toml:"backbone" hash:"4"`                           // resnet50; resnet18, resnet34, resnet101. It stays as it is; AffinityNet's learns, and is any
	Width    float64 `toml:"width" hash:"5"`                              // channel multiplier of the backbone; 1 = the published size
	Head     float64 `toml:"head" hash:"6"`                               // the same of the branches
	Init     string  `toml:"init" hash:"7"`                               // weights of the backbone: torchvision's, or a classifier's
	Input    string  `toml:"input" json:",omitempty" hash:"17,omitempty"` // of AffinityNet: "torch", or "caffe" as psa's on VGG-16; "" = torch
}

// IRNAugment is how training images are changed.
type IRNAugment struct {
	Scale []float64 `toml:"scale" hash:"8"` // [min, max] of a random scale
	Crop  int       `toml:"crop" hash:"9"`  // side of the square, a multiple of 16
	Flip  bool      `toml:"flip" hash:"10"`
}

// IRNOptimizer is how weights learn.
type IRNOptimizer struct {
	LR       float64 `toml:"lr" hash:"11"`
	HeadMult float64 `toml:"head_mult" hash:"12"` // × lr for the displacements
	// Momentum is 1e-4 in IRN, where the weight decay is passed in its place.
	Momentum    float64 `toml:"momentum" hash:"13"`
	WeightDecay float64 `toml:"weight_decay" hash:"14"`
	PolyPower   float64 `toml:"poly_power" hash:"15"`
}

// IRNCheckpoint is when a training is saved.
type IRNCheckpoint struct {
	CheckpointEvery Every `toml:"every" hash:"-"` // between checkpoints
	Keep            int   `toml:"keep" hash:"-"`  // checkpoints kept beside the last
}

// IRNCompute is how a step is computed.
type IRNCompute struct {
	Devices int `toml:"devices" hash:"-"` // devices that share each batch; 0 = 1
	Workers int `toml:"workers" hash:"-"` // decode and augmentation goroutines; 0 = one per CPU
}

// The kinds of networks.
const (
	KindIRN         = "irn"
	KindAffinityNet = "affinitynet"
)

// Stride is the image pixels per pixel of what the network gives.
func (c IRN) Stride() int {
	if c.Kind == KindAffinityNet {
		return 8
	}
	return 4
}

func defaultIRN() IRN {
	return IRN{
		Epochs: 3, Batch: 32, Radius: 10,
		IRNNetwork:    IRNNetwork{Backbone: "resnet50", Width: 1, Head: 1},
		IRNAugment:    IRNAugment{Scale: []float64{0.5, 1.5}, Crop: 512, Flip: true},
		IRNOptimizer:  IRNOptimizer{LR: 0.1, HeadMult: 10, Momentum: 1e-4, WeightDecay: 1e-4, PolyPower: 0.9},
		IRNCheckpoint: IRNCheckpoint{CheckpointEvery: Epochs(1), Keep: 1},
	}
}

func (c IRN) validate(v *validator) {
	const at = "irn."
	v.atLeast(at+"epochs", c.Epochs, 1)
	v.atLeast(at+"batch", c.Batch, 1)
	v.oneOf(at+"kind", c.Kind, "", KindIRN, KindAffinityNet)
	if c.Kind == KindAffinityNet {
		v.plugIn(at+"network.backbone", c.Backbone, Backbones)
		v.that(c.Head*8 == math.Trunc(c.Head*8), at+"network.head", c.Head, "a multiple of 0.125")
	} else {
		v.oneOf(at+"network.backbone", c.Backbone, "resnet18", "resnet34", "resnet50", "resnet101")
	}
	v.oneOf(at+"network.input", c.Input, "", "torch", "caffe")
	v.that(c.Input != "caffe" || c.Kind == KindAffinityNet, at+"network.input", c.Input, "torch for kind = \"irn\"")
	v.that(c.Width > 0 && c.Width <= 4, at+"network.width", c.Width, "a number in (0, 4]")
	least := 0.25
	if c.Kind == KindAffinityNet {
		least = 0.125
	}
	v.that(c.Head >= least && c.Head <= 4, at+"network.head", c.Head, fmt.Sprintf("a number in [%g, 4]", least))
	v.that(len(c.Scale) == 0 || len(c.Scale) == 2 && c.Scale[0] > 0.05 && c.Scale[0] <= c.Scale[1] && c.Scale[1] <= 8, at+"augment.scale", fmt.Sprint(c.Scale), "[min, max] in 0.05 to 8, or empty")
	v.that(c.Crop >= 48 && c.Crop <= 4096 && c.Crop%16 == 0, at+"augment.crop", c.Crop, "a multiple of 16 in 48 to 4096 pixels")
	v.that(c.Radius >= 2 && c.Radius <= 32 && 2*(c.Radius-1) < c.Crop/c.Stride(), at+"radius", c.Radius, fmt.Sprintf("2 to 32, and less than crop / %d", 2*c.Stride()))
	v.positive(at+"optimizer.lr", c.LR)
	v.notNegative(at+"optimizer.head_mult", c.HeadMult)
	v.notNegative(at+"optimizer.weight_decay", c.WeightDecay)
	v.notNegative(at+"optimizer.poly_power", c.PolyPower)
	v.that(c.Momentum >= 0 && c.Momentum < 1, at+"optimizer.momentum", c.Momentum, "a number in [0, 1)")
	v.every(at+"checkpoint.every", c.CheckpointEvery, 0)
	v.atLeast(at+"checkpoint.keep", c.Keep, 0)
	v.atLeast(at+"compute.devices", c.Devices, 0)
	v.atLeast(at+"compute.workers", c.Workers, 0)
}

// Train is the table as the training loop takes it, for so many images.
func (c IRN) Train(images int) Train {
	t := Default().Train
	perEpoch := max(1, images/c.Batch)
	t.Iterations, t.Batch, t.Accumulate = c.Epochs*perEpoch, c.Batch, 1
	t.TrainNetwork = TrainNetwork{Backbone: c.Backbone, Width: c.Width, Init: c.Init, Input: cmp.Or(c.Input, "torch"), StrideIn: "3x3", BatchNorm: "frozen"}
	t.TrainAugment = TrainAugment{Crop: c.Crop, CropAt: "random", ScaleRange: c.Scale, Flip: c.Flip}
	t.TrainOptimizer = TrainOptimizer{Optimizer: "sgd", LR: c.LR, HeadMult: c.HeadMult, BiasMult: c.HeadMult, Momentum: c.Momentum, WeightDecay: c.WeightDecay, PolyPower: c.PolyPower, LREvery: 1}
	t.TrainNoise = TrainNoise{Confidence: "none"}
	t.SelfTraining = SelfTraining{}
	t.TrainCheckpoint = TrainCheckpoint{CheckpointEvery: c.CheckpointEvery, Keep: c.Keep}
	t.TrainCompute = TrainCompute{Precision: "float32", Devices: c.Devices, Workers: c.Workers}
	return t
}
