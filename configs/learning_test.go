package configs

import (
	"strings"
	"testing"
)

// TestLearningKeys: what is out of range is named, with what is allowed.
func TestLearningKeys(t *testing.T) {
	for set, want := range map[string]string{
		"train.optimizer.schedule=linear":                                         `train.optimizer.schedule`,
		"train.optimizer.warm_up=30000":                                           "at most train.iterations, 20000",
		"train.optimizer.layer_decay=1.5":                                         "a number in [0, 1]; 0 for none",
		"train.optimizer.clip_norm=-1":                                            "train.optimizer.clip_norm",
		"train.optimizer.decay_of=none":                                           "train.optimizer.decay_of",
		"train.augment.jitter=[0.1]":                                              "four numbers: brightness, contrast, saturation, hue",
		"train.augment.jitter=[0.1,0.1,0.1,0.6]":                                  "the last in [0, 0.5]",
		"train.augment.copy_paste=2":                                              "a probability",
		"train.augment.copy_paste=0.5 train.noise.confidence=weight":              "what is pasted has no score of its own",
		"train.loss.balance=median":                                               "train.loss.balance",
		"train.loss.class_weights=[1,-1]":                                         "numbers >= 0, one for each class",
		"train.loss.class_weights=[1,2] train.loss.balance=sqrt":                  "train.loss.balance",
		"train.checkpoint.patience=3":                                             "it counts validations",
		"train.noise.early_every=5":                                               "train.noise.early_every = 5: allowed is 0 without train.noise.early",
		"train.augment.scale_by=long":                                             "train.augment.scale_by",
		"train.optimizer.schedule=cosine train.optimizer.warm_up=10":              "",
		"train.checkpoint.patience=3 train.checkpoint.val_every=10":               "",
		"train.augment.jitter=[0.4,0.4,0.4,0.1] train.augment.scale_by=crop-long": "",
		"train.optimizer.layer_decay=0.7 train.optimizer.decay_of=kernels":        "",
		"train.optimizer.clip_norm=0.01 train.loss.class_weights=[0.5,1,1]":       "",
		"train.augment.copy_paste=0.5 train.augment.copy_paste_min=0.8":           "",
	} {
		_, err := Load("", strings.Fields(set))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", set, err, want)
		}
	}
}
