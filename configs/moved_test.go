package configs

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// old is a config of an earlier version, with a value for every kind of key.
const old = `seed = 3
[train]
arch = "deeplab-v3plus"
output_stride = 16
msc = false
scales = []
scale_range = [0.5, 1.5]
optimizer = "adamw"
lr = 4e-3
loss_clip = 3.0
noise_warmup = 0.2
self_rounds = 1
checkpoint_every = 300
val_every = 100
workers = 3
[classifier]
optimizer = "adamw"
lr = 0.2
val_every = 3
checkpoint_every = 0
[finetune_clip]
model = "tiny-clip"
loss = "bce"
augment = "none"
calibrate = 0.1
val_every = 0
`

// today is the same by today's names.
const today = `seed = 3
[train.network]
arch = "deeplab-v3plus"
output_stride = 16
msc = false
[train.augment]
scales = []
scale_range = [0.5, 1.5]
[train.optimizer]
name = "adamw"
lr = 4e-3
[train.noise]
loss_clip = 3.0
warmup = 0.2
[train.self_training]
rounds = 1
[train.checkpoint]
every = 300
val_every = 100
[train.compute]
workers = 3
[classifier]
optimizer = { name = "adamw", lr = 0.2 }
checkpoint = { every = "1 epoch", val_every = "3 epochs" }
[finetune_clip]
network.model = "tiny-clip"
loss.name = "bce"
augment.name = "none"
thresholds.calibrate = 0.1
checkpoint.val_every = 0
`

// Earlier names are read as today's, from files, bases and overrides, and the
// hashes of what they describe are the same.
func TestEarlierNames(t *testing.T) {
	a, err := Load(write(t, old), nil)
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, today)
	b, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("earlier names:\n%+v\ntoday's:\n%+v", a, b)
	}
	if a.TrainHash() != b.TrainHash() || a.ClassifierHash() != b.ClassifierHash() || a.FineTuneHash() != b.FineTuneHash() {
		t.Error("the hashes differ")
	}
	if again, err := Load(write(t, a.TOML()), nil); err != nil || !reflect.DeepEqual(again, a) {
		t.Errorf("written and read again: %v\n%+v", err, again)
	}
	if old := OldKeys(path, nil); len(old) > 0 {
		t.Errorf("today's names are told to be earlier ones: %v", old)
	}
	list := fmt.Sprint(OldKeys(write(t, old), []string{"train.lr=1", "train.keep=3"}))
	for _, want := range []string{"train.optimizer is train.optimizer.name", "train.lr is train.optimizer.lr", "train.keep is train.checkpoint.keep", "finetune_clip.loss is finetune_clip.loss.name"} {
		if strings.Count(list, want) != 1 {
			t.Errorf("%s lacks %q", list, want)
		}
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"base.toml": "[train]\nlr = 1.0\noptimizer = \"adamw\"\n",
		"a.toml":    "base = \"base.toml\"\n[train.optimizer]\nlr = 2.0\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(filepath.Join(dir, "a.toml"), []string{"train.head_mult=3", "train.augment.crop=65"})
	if err != nil || c.Train.LR != 2 || c.Train.Optimizer != "adamw" || c.Train.HeadMult != 3 || c.Train.Crop != 65 {
		t.Errorf("base and overrides: %v, %+v", err, c.Train)
	}
	if c, err = c.With("train.lr=5", "train.optimizer=sgd"); err != nil || c.Train.LR != 5 || c.Train.Optimizer != "sgd" {
		t.Errorf("With: %v, %+v", err, c.Train)
	}
}

// Every earlier name leads to a key that exists.
func TestMovedKeysExist(t *testing.T) {
	for table, keys := range moved {
		for key, to := range keys {
			at := reflect.TypeFor[Config]()
			for part := range strings.SplitSeq(table+"."+to, ".") {
				below, ok := fieldOf(at, part)
				if !ok {
					t.Fatalf("%s.%s: no key %s", table, key, to)
				}
				at = below
			}
		}
	}
}

func TestEarlierNamesErrors(t *testing.T) {
	for text, want := range map[string]string{
		"[train]\nlr = 1.0\n[train.optimizer]\nlr = 2.0\n":  "train.lr and train.optimizer.lr are one key: give train.optimizer.lr alone",
		"[train]\nnetwork = \"x\"\narch = \"deeplab-v2\"\n": "train.network = x: allowed is a table",
		"[train]\nwidth = 9\n":                              "train.width = 9: allowed is a number in (0, 4] (train.width is train.network.width)",
		"[train]\nval_every = -1\n":                         "train.val_every = -1: allowed is an integer >= 0",
		"[train.checkpoint]\nval_every = \"2 weeks\"\n":     `train.checkpoint.val_every = "2 weeks": allowed is an integer >= 0, the updates between, or text such as "2 epochs"`,
		"[train.checkpoint]\nevery = 0\n":                   "train.checkpoint.every = 0: allowed is an integer >= 1",
		"[train]\nbatch = \"four\"\noptimizer = 3\n":        "allowed is",
		"[train.network]\nlr = 1.0\n":                       "unknown key train.network.lr: allowed are arch",
		"[train]\noptimiser = \"sgd\"\n":                    "did you mean optimizer.name?",
	} {
		if _, err := Load(write(t, text), nil); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestEvery(t *testing.T) {
	if n := Epochs(3).Updates(7); n != 21 {
		t.Errorf("3 epochs of 7 updates are %d", n)
	}
	if n := Every(5).Updates(7); n != 5 {
		t.Errorf("5 updates are %d", n)
	}
}
