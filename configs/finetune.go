package configs

// FineTuneCLIP fine-tunes a CLIP image encoder into a classifier of image
// labels: a LayerNorm and a linear layer on its embedding. Defaults are those
// of box2024 (docs/sources.md §7) where it gives them; it gives no loss for several
// labels, no warm-up, no augmentation and no layer decay.
type FineTuneCLIP struct {
	Epochs int   `toml:"epochs" hash:"11"`
	Batch  int   `toml:"batch" hash:"12"`
	Val    *Data `toml:"val" hash:"27,zero"` // dataset to validate on, its val_split; none = the run's own

	CLIPNetwork    `toml:"network"`
	CLIPLoss       `toml:"loss"`
	CLIPAugment    `toml:"augment"`
	CLIPOptimizer  `toml:"optimizer"`
	CLIPThresholds `toml:"thresholds"`
	CLIPCheckpoint `toml:"checkpoint"`
	CLIPCompute    `toml:"compute"`
}

// CLIPNetwork is the encoder that is trained and the layers behind it.
type CLIPNetwork struct {
	Model   string `toml:"model" hash:"1,zero"`   // a CLIP of `wsss models list`, whose image encoder is trained …
	Encoder string `toml:"encoder" hash:"2,zero"` // … or the ONNX file of an image encoder; neither = the table is not used
	Output  string `toml:"output" hash:"3"`       // value to classify, [batch, width]; "" = image_embeds, else the first output
	Size    int    `toml:"size" hash:"4"`         // side of the square image; 0 = what the file declares, else 224
	Head    string `toml:"head" hash:"5"`         // start of the new layers: random (the paper's), or text: CLIP's own classifier by prompts, which needs model
	Freeze  int    `toml:"freeze" hash:"19"`      // lowest blocks, the patch embedding with them, that keep their weights; −1 = the whole encoder
}

// CLIPLoss compares predictions with image labels.
type CLIPLoss struct {
	Loss     string  `toml:"name" hash:"6"`      // softmax (over classes, the paper's), bce or asl (one yes or no per class)
	Unknown  string  `toml:"unknown" hash:"7"`   // classes that nobody checked, under bce and asl: ignore or absent
	GammaPos float64 `toml:"gamma_pos" hash:"8"` // asl: focus on hard positives …
	GammaNeg float64 `toml:"gamma_neg" hash:"9"` // … and on hard negatives
	Margin   float64 `toml:"margin" hash:"10"`   // asl: negatives below this probability count nothing
}

// CLIPAugment is how training images are changed.
type CLIPAugment struct {
	Augment string `toml:"name" hash:"21"` // none, flip, or strong (random crop, flip, colour, erasing)
}

// CLIPOptimizer is how weights learn: by AdamW.
type CLIPOptimizer struct {
	LR          float64 `toml:"lr" hash:"13"`
	HeadMult    float64 `toml:"head_mult" hash:"14"`    // × lr for the new layers
	LRMin       float64 `toml:"lr_min" hash:"15"`       // where the cosine ends
	WarmUp      float64 `toml:"warm_up" hash:"16"`      // epochs of linear rise before it
	WeightDecay float64 `toml:"weight_decay" hash:"17"` // of AdamW; none for vectors (biases, norms)
	LayerDecay  float64 `toml:"layer_decay" hash:"18"`  // lr of a block = this × that of the block above; 1 = the same
}

// CLIPThresholds is how the classes' thresholds are found.
type CLIPThresholds struct {
	// Calibrate is the share of the training images that is held out to choose
	// the best checkpoint and the classes' thresholds on; 0 = on the validation
	// images, which flatters.
	Calibrate float64 `toml:"calibrate" json:",omitempty" hash:"20,omitempty"`
	// Beta weighs recall against precision in the F-measure that a threshold is
	// best by: 2 names more classes, right where a detector checks them; 0 = 1.
	Beta float64 `toml:"beta" json:",omitempty" hash:"-"`
	// Ensemble also finds thresholds for the mean of CLIP without training, with
	// this weight, and the classifier; 0 = none. It needs model.
	Ensemble float64 `toml:"ensemble" json:",omitempty" hash:"-"`
}

// CLIPCheckpoint is when a training is saved and validated.
type CLIPCheckpoint struct {
	CheckpointEvery Every `toml:"every" hash:"24,zero"`     // between checkpoints
	Keep            int   `toml:"keep" hash:"25,zero"`      // checkpoints kept beside the last and the best
	ValEvery        Every `toml:"val_every" hash:"26,zero"` // between validations; 0 = only at the end
}

// CLIPCompute is how a step is computed: none of it changes what is learnt, but
// for rounding.
type CLIPCompute struct {
	Precision string `toml:"precision" json:",omitempty" hash:"22,omitempty"` // of training: float32, tf32 (NVIDIA's rounding of products) or bf16 (products alone, as PyTorch's autocast); "" = the backend's own
	Recompute int    `toml:"recompute" json:",omitempty" hash:"-"`            // blocks that the backward pass computes again together instead of keeping their activations; 0 = none
	Devices   int    `toml:"devices" json:",omitempty" hash:"-"`              // devices that share each batch; 0 = 1
	Workers   int    `toml:"workers" hash:"23,zero"`                          // decode and augmentation goroutines; 0 = one per CPU
}

func defaultFineTuneCLIP() FineTuneCLIP {
	return FineTuneCLIP{
		Epochs: 50, Batch: 32,
		CLIPNetwork:    CLIPNetwork{Head: "random"},
		CLIPLoss:       CLIPLoss{Loss: "softmax", Unknown: "ignore", GammaPos: 0, GammaNeg: 4, Margin: 0.05},
		CLIPAugment:    CLIPAugment{Augment: "flip"},
		CLIPOptimizer:  CLIPOptimizer{LR: 2e-5, HeadMult: 1, WeightDecay: 0.7, LayerDecay: 1},
		CLIPCheckpoint: CLIPCheckpoint{CheckpointEvery: Epochs(1), Keep: 1, ValEvery: Epochs(1)},
	}
}

func (f FineTuneCLIP) validate(v *validator) {
	if f.Encoder == "" && f.Model == "" {
		return
	}
	const at = "finetune_clip."
	v.that(f.Size == 0 || f.Size >= 16 && f.Size <= 2048, at+"network.size", f.Size, "0, or 16 to 2048 pixels")
	v.oneOf(at+"network.head", f.Head, "random", "text")
	v.that(f.Head == "random" || f.Encoder == "", at+"network.head", f.Head, "random where finetune_clip.network.encoder is set: a file has no prompts")
	v.oneOf(at+"loss.name", f.Loss, "softmax", "bce", "asl")
	v.oneOf(at+"loss.unknown", f.Unknown, "ignore", "absent")
	v.oneOf(at+"augment.name", f.Augment, "none", "flip", "strong")
	v.atLeast(at+"epochs", f.Epochs, 1)
	v.atLeast(at+"batch", f.Batch, 1)
	v.positive(at+"optimizer.lr", f.LR)
	v.positive(at+"optimizer.layer_decay", f.LayerDecay)
	v.that(f.LayerDecay <= 1, at+"optimizer.layer_decay", f.LayerDecay, "a number in (0, 1]")
	v.notNegative(at+"loss.gamma_pos", f.GammaPos)
	v.notNegative(at+"loss.gamma_neg", f.GammaNeg)
	v.notNegative(at+"optimizer.head_mult", f.HeadMult)
	v.notNegative(at+"optimizer.lr_min", f.LRMin)
	v.notNegative(at+"optimizer.warm_up", f.WarmUp)
	v.notNegative(at+"optimizer.weight_decay", f.WeightDecay)
	v.that(f.WarmUp < float64(f.Epochs), at+"optimizer.warm_up", f.WarmUp, "less than epochs")
	v.that(f.Margin >= 0 && f.Margin < 1, at+"loss.margin", f.Margin, "a number in [0, 1)")
	v.that(f.Beta >= 0 && f.Beta <= 10, at+"thresholds.beta", f.Beta, "a number in [0, 10]")
	v.that(f.Calibrate >= 0 && f.Calibrate <= 0.5, at+"thresholds.calibrate", f.Calibrate, "a share in [0, 0.5]")
	v.that(f.Ensemble >= 0 && f.Ensemble <= 1, at+"thresholds.ensemble", f.Ensemble, "a weight in [0, 1]")
	v.atLeast(at+"network.freeze", f.Freeze, -1)
	v.oneOf(at+"compute.precision", f.Precision, "", "float32", "tf32", "bf16")
	v.atLeast(at+"compute.recompute", f.Recompute, 0)
	v.atLeast(at+"compute.devices", f.Devices, 0)
	v.atLeast(at+"compute.workers", f.Workers, 0)
	v.every(at+"checkpoint.every", f.CheckpointEvery, 0)
	v.atLeast(at+"checkpoint.keep", f.Keep, 0)
	v.every(at+"checkpoint.val_every", f.ValEvery, 0)
	if f.Val != nil {
		v.that(f.Val.Kind != "", at+"val.kind", f.Val.Kind, "a dataset kind")
		v.that(f.Val.ValSplit != "", at+"val.val_split", f.Val.ValSplit, "a split name")
	}
}
