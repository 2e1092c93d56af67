package configs

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadOverridesDefaults(t *testing.T) {
	path := write(t, "seed = 7\n[train]\nbatch = 4\nscales = [1.0]\n[gen.options]\ngamma = 50\n")
	cfg, err := Load(path, []string{"train.lr=0.01", "gen.weak=points", "gen.options.gamma=20", "eval.scales=[0.5, 1.0]"})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Seed, want.Train.Batch, want.Train.Scales, want.Train.LR = 7, 4, []float64{1}, 0.01
	want.Gen.Weak, want.Gen.Options = "points", map[string]any{"gamma": int64(20)}
	want.Eval.Scales = []float64{0.5, 1}
	if !reflect.DeepEqual(cfg, want) {
		t.Fatalf("got  %+v\nwant %+v", cfg, want)
	}
}

func TestTOMLRoundTrip(t *testing.T) {
	cfg := Default()
	cfg.Eval.Against = []Against{{Name: "a", Dir: "b"}}
	cfg.Data.Options = map[string]any{"train": int64(8)}
	got, err := Load(write(t, cfg.TOML()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.TOML() != cfg.TOML() || got.GenHash() != cfg.GenHash() || got.TrainHash() != cfg.TrainHash() {
		t.Fatalf("round trip changed the config:\n%s\n%s", cfg.TOML(), got.TOML())
	}
}

func TestLoadErrorsNameTheKey(t *testing.T) {
	tests := []struct {
		name, text, set string
		want            []string
	}{
		{"syntax", "seed = = 1", "", []string{"line 1"}},
		{"unknown top key", "sed = 1", "", []string{"unknown key sed", "seed"}},
		{"unknown nested key", "[train]\nlearning_rate = 1", "", []string{"unknown key train.learning_rate", "lr"}},
		{"unknown fuse key", "[gen.fuse]\nrules = 'score'", "", []string{"gen.fuse.rules", "rule, ignore_band, min_area"}},
		{"wrong type", "[train]\nbatch = 'four'", "", []string{"train.batch: the value is of type string, allowed is integer"}},
		{"batch", "[train]\nbatch = 0", "", []string{"train.batch = 0", ">= 1"}},
		{"a value for a table", "train = 1", "", []string{"train: the value is of type integer, allowed is table"}},
		{"a value for a free table", "", "data.options=5", []string{"data.options: the value is of type integer, allowed is table"}},
		{"a list of lists for a free table", "[data]\noptions = [[1]]", "", []string{"data.options: the value is of type array, allowed is table"}},
		{"a value for a row's free table", "[[compare]]\nname = 'a'\noptions = 'x'", "", []string{"compare.options: the value is of type string, allowed is table"}},
		{"a number that is none in a free table", "", "data.options.val_fraction=nan", []string{"data.options.val_fraction = NaN: allowed are finite numbers"}},
		{"an infinity in a list", "[gen.options]\nscales = [1.0, -inf]", "", []string{"gen.options.scales[1] = -Inf: allowed are finite numbers"}},
		{"a base by -set", "", "base=x.toml", []string{"-set base=x.toml: base stands in a file alone"}},
		{"weak", "[gen]\nweak = 'box'", "", []string{`gen.weak = "box"`, "points", "boxes"}},
		{"stride", "", "train.output_stride=9", []string{"train.output_stride = 9", "8 or 16"}},
		{"set shape", "", "train", []string{"-set train", "key=value"}},
		{"set through a value", "", "seed.x=1", []string{"seed"}},
		{"nan", "[train]\nlr = nan", "", []string{"train.lr"}},
		{"scale range", "[train]\nscale_range = [2.0, 0.5]", "", []string{"train.scale_range"}},
		{"noise warm-up", "", "train.noise_warmup=1", []string{"train.noise_warmup = 1", "[0, 1)"}},
		{"self rule", "", "train.self_rule=vote", []string{"train.self_rule = \"vote\"", "replace, agree, correct"}},
		{"self start", "", "train.self_start=best", []string{"train.self_start = \"best\"", "init, last"}},
		{"network without checkpoint", "[[eval.network]]\nname='a'", "", []string{"eval.network[0].checkpoint"}},
		{"network key", "[[eval.network]]\nname='a'\ncheckpoints='x'", "", []string{"eval.network.checkpoints", "checkpoint, bound"}},
		{"bucket", "", "eval.bucket=513", []string{"eval.bucket = 513", "0..512"}},
		{"bucket below 0", "", "eval.bucket=-1", []string{"eval.bucket = -1", "own size"}},
		{"against twice", "[[eval.against]]\nname='a'\ndir='x'\n[[eval.against]]\nname='a'\ndir='y'", "", []string{"eval.against[1].name"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tt.text)
			var sets []string
			if tt.set != "" {
				sets = []string{tt.set}
			}
			if tt.name == "set through a value" {
				path = write(t, "seed = 1")
			}
			_, err := Load(path, sets)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q lacks %q", err, w)
				}
			}
		})
	}
}

func TestHashesCoverWhatMatters(t *testing.T) {
	base := Default()
	change := func(f func(*Config)) Config { c := base; f(&c); return c }
	tests := []struct {
		name            string
		cfg             Config
		genSame, trSame bool
	}{
		{"workers", change(func(c *Config) { c.Gen.Workers = 3; c.Train.Workers = 3 }), true, true},
		{"root", change(func(c *Config) { c.Data.Root = "/elsewhere" }), true, true},
		{"seed", change(func(c *Config) { c.Seed = 2 }), false, false},
		{"method", change(func(c *Config) { c.Gen.Method = "sam" }), false, true},
		{"lr", change(func(c *Config) { c.Train.LR = 1 }), true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.cfg.GenHash() == base.GenHash(); got != tt.genSame {
				t.Errorf("gen hash same = %v, want %v", got, tt.genSame)
			}
			if got := tt.cfg.TrainHash() == base.TrainHash(); got != tt.trSame {
				t.Errorf("train hash same = %v, want %v", got, tt.trSame)
			}
		})
	}
}

func TestDecodeRejectsUnknownOption(t *testing.T) {
	var opts struct {
		Gamma float64 `toml:"gamma"`
	}
	opts.Gamma = 50
	if err := Decode("gen.options", map[string]any{"gamma": 20.0}, &opts); err != nil || opts.Gamma != 20 {
		t.Fatalf("gamma = %v, err %v", opts.Gamma, err)
	}
	err := Decode("gen.options", map[string]any{"gama": 20.0}, &opts)
	if err == nil || !strings.Contains(err.Error(), "gama") || !strings.Contains(err.Error(), "allowed are gamma") {
		t.Fatalf("error %v", err)
	}
	err = Decode("gen.options", map[string]any{"gamma": "much"}, &opts)
	if err == nil || err.Error() != "gen.options.gamma: the value is of type string, allowed is float" {
		t.Fatalf("error %v", err)
	}
}

// TestDecodeListsEmbeddedOptions: keys of an embedded struct are named, too,
// whether its type is exported or not.
func TestDecodeListsEmbeddedOptions(t *testing.T) {
	type common struct {
		Model string `toml:"model"`
	}
	var opts struct {
		common
		Gamma float64 `toml:"gamma"`
	}
	err := Decode("gen.options", map[string]any{"gama": 20.0}, &opts)
	if err == nil || !strings.Contains(err.Error(), "allowed are model, gamma") {
		t.Fatalf("error %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	path := filepath.Join(f.TempDir(), "c.toml") // one per process: folders are slow to make
	f.Add("seed = 1\n[train]\nbatch = 2", "train.lr=0.1")
	f.Add(Default().TOML(), "gen.weak=points")
	f.Add(`"\`, "") // the decoder puts this fault at line 0
	f.Fuzz(func(t *testing.T, text, set string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Skip("the fuzzed file cannot be written here: ", err)
		}
		cfg, err := Load(path, []string{set})
		if err == nil && cfg.Validate() != nil {
			t.Fatal("Load returned an invalid config")
		}
	})
}

// TestSyntaxErrorsNameThePlace: the line and column of a fault, also at the end
// of a line and of a file.
func TestSyntaxErrorsNameThePlace(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`"\`, "line 1, column 2: invalid escape"},
		{"name = \"a\"\nseed = @\n", "line 2, column 8: expected value but found '@' instead: seed = @"},
		{"name = \"a\"\nseed = \nbatch = 2\n", "line 2, column 8: "},
		{"seed = 1\n[train\nbatch = 2", "line 2, column 7: "},
		{"\ufeffseed = @", "line 1, column 8: "},
		{"name = \"ä\" @", "line 1, column 11: "},
		{"seed = 1\nseed = 2\n", "line 2, column 1: Key 'seed' has already been defined.: seed = 2"},
		{"name = '" + strings.Repeat("x", 1000), "column 1009"},
		{"seed = 1\nx", "line 2, column "},
		{"ab", "a key without a value (allowed are lines key = value and [table]): ab"},
		{"", "holds no key"},
		{"# nothing\n", "holds no key"},
	} {
		path := filepath.Join(t.TempDir(), "c.toml")
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) || len(err.Error()) > 400 {
			t.Errorf("%.20q: error %v, want %q and the file", c.text, err, c.want)
		}
		if c.want == "holds no key" {
			if got, err := Load(path, []string{"seed=7"}); err != nil || got.Seed != 7 {
				t.Errorf("%q with a key by -set: seed %d, error %v", c.text, got.Seed, err)
			}
		}
	}
}
