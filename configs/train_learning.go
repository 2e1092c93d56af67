package configs

import (
	"fmt"
	"math"
)

// TrainLoss is what a pixel counts. Networks with a loss of their own take none
// of it.
type TrainLoss struct {
	ClassWeights []float64 `toml:"class_weights" json:",omitempty" hash:"68,omitempty"` // of a pixel of each class, background first; empty = 1
	Balance      string    `toml:"balance" json:",omitempty" hash:"69,omitempty"`       // class weights by what the labels hold: see Balances; "" = none
}

// Balances are the weights that train.loss.balance gives classes by their share
// f of the pixels of the images that have them: "frequency" is the median of all
// classes' shares over f (SegNet), "sqrt" its square root.
var Balances = []string{"frequency", "sqrt"}

// The schedules of the learning rate.
const (
	SchedulePoly   = "poly"
	ScheduleCosine = "cosine"
)

// What weight decay is applied to.
const (
	DecayAll     = "all"     // all but the biases of heads
	DecayKernels = "kernels" // weights of more than one axis: no norm, bias, token or position embedding
)

// validateNoise checks what makes training robust against wrong labels.
func (t Train) validateNoise(v *validator) {
	v.oneOf("train.noise.confidence", t.Confidence, "none", "mask", "weight")
	v.that(t.ConfidenceMin >= 0 && t.ConfidenceMin <= 1, "train.noise.confidence_min", t.ConfidenceMin, "a number in [0, 1]")
	v.that(t.Bootstrap >= 0 && t.Bootstrap < 1, "train.noise.bootstrap", t.Bootstrap, "a number in [0, 1)")
	v.that(t.LossClip >= 0 && !math.IsInf(t.LossClip, 0), "train.noise.loss_clip", t.LossClip, "a number >= 0")
	v.that(t.NoiseWarmup >= 0 && t.NoiseWarmup < 1, "train.noise.warmup", t.NoiseWarmup, "a number in [0, 1)")
	v.that(t.Correct == 0 || t.Correct >= 0.5 && t.Correct < 1, "train.noise.correct", t.Correct, "a probability in [0.5, 1); 0 for never")
	v.that(t.Early >= 0 && t.Early < 1, "train.noise.early", t.Early, "a number in [0, 1); 0 for none")
	v.that(t.Early == 0 || t.NoiseWarmup == 0, "train.noise.early", t.Early, "0 where train.noise.warmup tells when to begin")
	v.that(t.Early == 0 || t.Bootstrap+t.LossClip+t.Correct > 0, "train.noise.early", t.Early, "0 unless one of train.noise.bootstrap, loss_clip and correct is set: it tells when they begin")
	v.every("train.noise.early_every", t.EarlyEvery, 0)
	v.that(t.EarlyEvery == 0 || t.Early > 0, "train.noise.early_every", t.EarlyEvery, "0 without train.noise.early, which it is about")
}

// validateLearning checks what how weights learn depends on.
func (t Train) validateLearning(v *validator) {
	v.oneOf("train.optimizer.schedule", t.Schedule, "", SchedulePoly, ScheduleCosine)
	v.every("train.optimizer.warm_up", t.WarmUp, 0)
	v.that(t.WarmUp <= Every(t.Iterations), "train.optimizer.warm_up", t.WarmUp, fmt.Sprintf("at most train.iterations, %d", t.Iterations))
	v.that(t.LayerDecay >= 0 && t.LayerDecay <= 1, "train.optimizer.layer_decay", t.LayerDecay, "a number in [0, 1]; 0 for none")
	v.that(t.ClipNorm >= 0 && !math.IsInf(t.ClipNorm, 0), "train.optimizer.clip_norm", t.ClipNorm, "a number >= 0; 0 for none")
	v.oneOf("train.optimizer.decay_of", t.DecayOf, "", DecayAll, DecayKernels)
	v.oneOf("train.loss.balance", t.Balance, append([]string{""}, Balances...)...)
	for _, w := range t.ClassWeights {
		v.that(w >= 0 && !math.IsInf(w, 0), "train.loss.class_weights", t.ClassWeights, "numbers >= 0, one for each class, background first")
	}
	v.that(len(t.ClassWeights) == 0 || t.Balance == "", "train.loss.balance", t.Balance, `"", where train.loss.class_weights gives the weights`)
	v.that(len(t.Jitter) == 0 || len(t.Jitter) == 4, "train.augment.jitter", t.Jitter, "four numbers: brightness, contrast, saturation, hue; or empty for none")
	for i, j := range t.Jitter {
		most, words := 1.0, "[brightness, contrast, saturation, hue], the first three in [0, 1], the last in [0, 0.5]"
		if i == 3 {
			most = 0.5
		}
		v.that(j >= 0 && j <= most, "train.augment.jitter", t.Jitter, words)
	}
	v.that(t.CopyPaste >= 0 && t.CopyPaste <= 1, "train.augment.copy_paste", t.CopyPaste, "a probability, 0 to 1; 0 for none")
	v.that(t.CopyPasteMin >= 0 && t.CopyPasteMin <= 1, "train.augment.copy_paste_min", t.CopyPasteMin, "a number in [0, 1]")
	v.that(t.CopyPaste == 0 || t.Confidence != "weight", "train.noise.confidence", t.Confidence, `"none" or "mask" where train.augment.copy_paste is set: what is pasted has no score of its own`)
	v.that(t.CacheGB >= 0 && !math.IsInf(t.CacheGB, 0), "train.compute.cache_gb", t.CacheGB, "a number >= 0")
	v.that(t.MemoryGB >= 0 && !math.IsInf(t.MemoryGB, 0), "train.compute.memory_gb", t.MemoryGB, "a number >= 0; 0 for what is free")
	v.that(t.MemoryGB == 0 || t.FitBatch, "train.compute.memory_gb", t.MemoryGB, "0 without train.compute.fit_batch, which it bounds")
	v.that(!t.FitBatch || !t.CacheFeatures, "train.compute.fit_batch", t.FitBatch, "false with train.compute.cache_features: a head takes little memory")
	v.atLeast("train.checkpoint.patience", t.Patience, 0)
	v.that(t.Patience == 0 || t.ValEvery != 0, "train.checkpoint.patience", t.Patience, "0 without train.checkpoint.val_every: it counts validations")
}
