package configs

import "math"

// FineTuneCLIP fine-tunes a CLIP image encoder into a classifier of image
// labels: a LayerNorm and a linear layer on its embedding. Defaults are those
// of box2024 (docs/sources.md §7) where it gives them; it gives no loss for several
// labels, no warm-up, no augmentation and no layer decay.
type FineTuneCLIP struct {
	Model   string `toml:"model"`   // a CLIP of `wsss models list`, whose image encoder is trained …
	Encoder string `toml:"encoder"` // … or the ONNX file of an image encoder; neither = the table is not used
	Output  string `toml:"output"`  // value to classify, [batch, width]; "" = image_embeds, else the first output
	Size    int    `toml:"size"`    // side of the square image; 0 = what the file declares, else 224

	Head string `toml:"head"` // start of the new layers: random (the paper's), or text: CLIP's own classifier by prompts, which needs model

	Loss     string  `toml:"loss"`      // softmax (over classes, the paper's), bce or asl (one yes or no per class)
	Unknown  string  `toml:"unknown"`   // classes that nobody checked, under bce and asl: ignore or absent
	GammaPos float64 `toml:"gamma_pos"` // asl: focus on hard positives …
	GammaNeg float64 `toml:"gamma_neg"` // … and on hard negatives
	Margin   float64 `toml:"margin"`    // asl: negatives below this probability count nothing

	Epochs      int     `toml:"epochs"`
	Batch       int     `toml:"batch"`
	LR          float64 `toml:"lr"`
	HeadMult    float64 `toml:"head_mult"`    // × lr for the new layers
	LRMin       float64 `toml:"lr_min"`       // where the cosine ends
	WarmUp      float64 `toml:"warm_up"`      // epochs of linear rise before it
	WeightDecay float64 `toml:"weight_decay"` // of AdamW; none for vectors (biases, norms)
	LayerDecay  float64 `toml:"layer_decay"`  // lr of a block = this × that of the block above; 1 = the same
	Freeze      int     `toml:"freeze"`       // lowest blocks, the patch embedding with them, that keep their weights; −1 = the whole encoder
	// Calibrate is the share of the training images that is held out to choose
	// the best checkpoint and the classes' thresholds on; 0 = on the validation
	// images, which flatters.
	Calibrate float64 `toml:"calibrate" json:",omitempty"`
	// Beta weighs recall against precision in the F-measure that a threshold is
	// best by: 2 names more classes, right where a detector checks them; 0 = 1.
	Beta float64 `toml:"beta" json:",omitempty"`
	// Ensemble also finds thresholds for the mean of CLIP without training, with
	// this weight, and the classifier; 0 = none. It needs model.
	Ensemble float64 `toml:"ensemble" json:",omitempty"`

	Augment string `toml:"augment"` // none, flip, or strong (random crop, flip, colour, erasing)

	// How a step is computed: none of these changes what is learnt, but for rounding.
	Precision string `toml:"precision" json:",omitempty"` // of training: float32, tf32 (NVIDIA's rounding of products) or bf16 (products alone, as PyTorch's autocast); "" = the backend's own
	Recompute int    `toml:"recompute" json:",omitempty"` // blocks that the backward pass computes again together instead of keeping their activations; 0 = none

	Devices         int   `toml:"devices" json:",omitempty"` // devices that share each batch; 0 = 1
	Workers         int   `toml:"workers"`                   // decode and augmentation goroutines; 0 = one per CPU
	CheckpointEvery int   `toml:"checkpoint_every"`          // updates between checkpoints; 0 = one per epoch
	Keep            int   `toml:"keep"`                      // checkpoints kept beside the last and the best
	ValEvery        int   `toml:"val_every"`                 // epochs between validations; 0 = only at the end
	Val             *Data `toml:"val"`                       // dataset to validate on, its val_split; none = the run's own
}

func defaultFineTuneCLIP() FineTuneCLIP {
	return FineTuneCLIP{
		Head: "random", Loss: "softmax", Unknown: "ignore", GammaPos: 0, GammaNeg: 4, Margin: 0.05,
		Epochs: 50, Batch: 32, LR: 2e-5, HeadMult: 1, WeightDecay: 0.7, LayerDecay: 1,
		Augment: "flip", Keep: 1, ValEvery: 1,
	}
}

func (f FineTuneCLIP) validate(v *validator) {
	if f.Encoder == "" && f.Model == "" {
		return
	}
	const at = "finetune_clip."
	v.that(f.Size == 0 || f.Size >= 16 && f.Size <= 2048, at+"size", f.Size, "0, or 16 to 2048 pixels")
	v.oneOf(at+"head", f.Head, "random", "text")
	v.that(f.Head == "random" || f.Encoder == "", at+"head", f.Head, "random where finetune_clip.encoder is set: a file has no prompts")
	v.oneOf(at+"loss", f.Loss, "softmax", "bce", "asl")
	v.oneOf(at+"unknown", f.Unknown, "ignore", "absent")
	v.oneOf(at+"augment", f.Augment, "none", "flip", "strong")
	v.atLeast(at+"epochs", f.Epochs, 1)
	v.atLeast(at+"batch", f.Batch, 1)
	v.positive(at+"lr", f.LR)
	v.positive(at+"layer_decay", f.LayerDecay)
	v.that(f.LayerDecay <= 1, at+"layer_decay", f.LayerDecay, "a number in (0, 1]")
	for key, x := range map[string]float64{
		"gamma_pos": f.GammaPos, "gamma_neg": f.GammaNeg, "head_mult": f.HeadMult, "lr_min": f.LRMin,
		"warm_up": f.WarmUp, "weight_decay": f.WeightDecay,
	} {
		v.that(x >= 0 && !math.IsInf(x, 0), at+key, x, "a number >= 0")
	}
	v.that(f.WarmUp < float64(f.Epochs), at+"warm_up", f.WarmUp, "less than epochs")
	v.that(f.Margin >= 0 && f.Margin < 1, at+"margin", f.Margin, "a number in [0, 1)")
	v.that(f.Beta >= 0 && f.Beta <= 10, at+"beta", f.Beta, "a number in [0, 10]")
	v.that(f.Calibrate >= 0 && f.Calibrate <= 0.5, at+"calibrate", f.Calibrate, "a share in [0, 0.5]")
	v.that(f.Ensemble >= 0 && f.Ensemble <= 1, at+"ensemble", f.Ensemble, "a weight in [0, 1]")
	v.atLeast(at+"freeze", f.Freeze, -1)
	v.oneOf(at+"precision", f.Precision, "", "float32", "tf32", "bf16")
	v.atLeast(at+"recompute", f.Recompute, 0)
	v.atLeast(at+"devices", f.Devices, 0)
	v.atLeast(at+"workers", f.Workers, 0)
	v.atLeast(at+"checkpoint_every", f.CheckpointEvery, 0)
	v.atLeast(at+"keep", f.Keep, 0)
	v.atLeast(at+"val_every", f.ValEvery, 0)
	if f.Val != nil {
		v.that(f.Val.Kind != "", at+"val.kind", f.Val.Kind, "a dataset kind")
		v.that(f.Val.ValSplit != "", at+"val.val_split", f.Val.ValSplit, "a split name")
	}
}

// FineTuneHash identifies what one fine-tuning depends on beside the files of
// the encoder and the images.
func (c Config) FineTuneHash() string {
	d, f := c.Data, c.FineTuneCLIP
	d.Root, d.ValSplit = "", ""
	f.Model, f.Encoder, f.Workers, f.CheckpointEvery, f.Keep, f.ValEvery, f.Val, f.Ensemble = "", "", 0, 0, 0, 0, nil, 0
	f.Recompute, f.Devices, f.Beta = 0, 0, 0
	return hash(c.Seed, d, f)
}
