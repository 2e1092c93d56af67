package configs

import (
	"reflect"
	"strings"
	"testing"
)

// Every field of a hashed table says whether it enters the hash, and no place is
// used twice.
func TestHashTags(t *testing.T) {
	for _, v := range []any{Data{}, Gen{}, Train{}, Classifier{}, FineTuneCLIP{}} {
		places := map[int]string{}
		fields, err := hashFields(reflect.ValueOf(v), "")
		if err != nil {
			t.Error(err)
		}
		for _, f := range fields {
			if other := places[f.place]; other != "" {
				t.Errorf("%T: %s and %s have place %d", v, other, f.name, f.place)
			}
			places[f.place] = f.name
		}
	}
}

// TestHashesStay pins hashes of earlier versions: the runs that they made are
// recognised.
func TestHashesStay(t *testing.T) {
	for _, c := range []struct {
		set                              string
		gen, train, classifier, fineTune string
	}{
		{"train.lr=0.01", "b74dbbf21cecfc3c", "b145732c867cef17", "cc89e319964cc34c", "b0e865ee91ce06e3"},
		{"train.optimizer=adamw", "b74dbbf21cecfc3c", "17981582e7b965a6", "cc89e319964cc34c", "b0e865ee91ce06e3"},
		{"train.scale_by=crop train.blur=0.5", "b74dbbf21cecfc3c", "39d8a616d0d8ec8b", "cc89e319964cc34c", "b0e865ee91ce06e3"},
		{"train.val_every=7 train.checkpoint_every=3", "b74dbbf21cecfc3c", "4619f13e778562f4", "cc89e319964cc34c", "b0e865ee91ce06e3"},
		{"classifier.val_every=3 classifier.lr=0.2", "b74dbbf21cecfc3c", "4619f13e778562f4", "4137847faa97e968", "b0e865ee91ce06e3"},
		{"finetune_clip.loss=bce finetune_clip.calibrate=0.1 finetune_clip.val_every=2", "b74dbbf21cecfc3c", "4619f13e778562f4", "cc89e319964cc34c", "613fb9cd4fdcc3f7"},
		{"train.scales=[] train.scale_range=[0.5,1.5]", "b74dbbf21cecfc3c", "24be79cf4e754bf6", "cc89e319964cc34c", "b0e865ee91ce06e3"},
		{"gen.checks=[\"flip\"]", "dcf80aadead50ef9", "4619f13e778562f4", "cc89e319964cc34c", "b0e865ee91ce06e3"},
		// What does not change the result does not change the hash.
		{"train.tensorboard=true train.diverge=3 train.skip=true train.devices=2 train.recompute=1 train.keep=9 out=elsewhere name=other", "b74dbbf21cecfc3c", "4619f13e778562f4", "cc89e319964cc34c", "b0e865ee91ce06e3"},
		{"finetune_clip.model=clip-vit-b32 finetune_clip.ensemble=0.5 finetune_clip.beta=2 data.root=elsewhere gen.workers=3 classifier.init=x", "b74dbbf21cecfc3c", "4619f13e778562f4", "cc89e319964cc34c", "b0e865ee91ce06e3"},
	} {
		cfg, err := Load("", strings.Fields(c.set))
		if err != nil {
			t.Error(err)
			continue
		}
		if g, n, k, f := cfg.GenHash(), cfg.TrainHash(), cfg.ClassifierHash(), cfg.FineTuneHash(); g != c.gen || n != c.train || k != c.classifier || f != c.fineTune {
			t.Errorf("%s: %s %s %s %s, want %+v", c.set, g, n, k, f, c)
		}
	}
}
