package main

import (
	"path/filepath"
	"strings"
	"testing"

	"wsss/checkpoints/files"
	"wsss/data/datatest"
	"wsss/models/manifest"
)

// TestPreflight: run and -dry-run find the same faults, with the same exit
// code, before the first image.
func TestPreflight(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(manifest.Env, filepath.Join(dir, "models"))
	photos := filepath.Join(dir, "photos")
	partPhotos(t, photos, "a", "e")
	broken := filepath.Join(dir, "broken.safetensors")
	datatest.Write(t, broken, "weights")
	absent := filepath.Join(dir, "none")
	tests := []struct {
		name string
		more []string
		code int
		says string
	}{
		{"nothing", nil, exitOK, ""},
		{"no init", []string{"-set", "train.network.init=" + absent}, exitMissing, absent},
		{"no weights of init", []string{"-set", "train.network.init=resnet18"}, exitMissing, "wsss models pull resnet18"},
		{"init of another family", []string{"-set", "train.network.init=mobile-sam"}, exitUsage, "mobile-sam"},
		{"broken init", []string{"-set", "train.network.init=" + broken}, exitUsage, "neither a safetensors file nor a PyTorch checkpoint"},
		{"unknown backend", []string{"-backend", "tpu"}, exitUsage, `backend "tpu" is unknown`},
		{"no library", []string{"-backend", "onnx:" + absent + "/lib.so"}, exitMissing, absent},
		{"no weights of a method", []string{"-set", "gen.method=sam"}, exitMissing, "wsss models pull mobile-sam"},
		{"no weights of a row", []string{"-set", `compare=[{name="SAM", method="sam", weak="boxes"}]`}, exitMissing, "mobile-sam"},
		{"no boxes for SAM", []string{"-set", "gen.method=sam", "-set", "gen.options.decoder=../../models/foundation/load/testdata/hf_decoder.onnx", "-set", "gen.options.encoder=../../models/foundation/load/testdata/hf_decoder.onnx"}, exitUsage, "takes points only"},
		{"no boxes for a row", []string{"-set", `compare=[{name="SAM", method="sam", weak="boxes", options={decoder="../../models/foundation/load/testdata/hf_decoder.onnx", encoder="../../models/foundation/load/testdata/hf_decoder.onnx"}}]`}, exitUsage, `compare "SAM": gen.weak = "boxes": this SAM export takes points only`},
		{"msc", []string{"-set", "train.network.msc=true", "-set", "train.network.arch=mask2former", "-set", "train.network.output_stride=32"}, exitUsage, "train.network.msc = true: train.network.arch = \"mask2former\" learns by a loss of its own"},
		{"batch of one", []string{"-set", "train.batch=1"}, exitUsage, "train.batch = 1"},
		{"devices", []string{"-set", "train.batch=4", "-set", "train.compute.devices=3"}, exitUsage, "train.compute.devices = 3"},
		{"no checkpoint of a row", []string{"-set", `eval.network=[{name="other", checkpoint="` + absent + `"}]`}, exitMissing, absent},
		{"no network of a row", []string{"-set", `eval.onnx=[{name="other", path="` + absent + `"}]`}, exitMissing, absent},
		{"no folder of labels", []string{"-set", "train.labels=" + absent}, exitMissing, absent},
		{"no data", []string{"-set", "data.root=" + absent}, exitMissing, absent},
		{"unknown key of the data", []string{"-set", "data.options.nonsense=1"}, exitUsage, "/dev/null: dataset folder at "},
		{"share of the data", []string{"-set", "data.options.val_fraction=2"}, exitUsage, "data.options.val_fraction = 2"},
		{"format of the data", []string{"-set", "data.options.format=nonsense"}, exitUsage, `data.options.format: annotation format "nonsense"`},
		{"split", []string{"-set", "data.train_split=nope"}, exitUsage, `split "nope" is unknown: allowed are all, train, val`},
		{"split to score on", []string{"-set", "data.val_split=trian"}, exitUsage, "did you mean train?"},
		{"encoding of the data", []string{"-set", "data.options.encoding=nonsense"}, exitUsage, `data.options.encoding: encoding "nonsense"`},
		{"labels of the data", []string{"-set", "data.options.boxes=nonsense"}, exitUsage, `data.options.boxes = "nonsense"`},
		{"key of absent data", []string{"-set", "data.root=" + absent, "-set", "data.options.nonsense=1"}, exitUsage, "[data.options]: unknown key nonsense"},
		{"scenes", []string{"-set", "data.kind=scenes", "-set", "data.root=" + absent, "-set", `data.options={classes=99}`}, exitUsage, "data.options.classes = 99"},
		{"early_every", []string{"-set", "train.noise.early_every=5"}, exitUsage, "train.noise.early_every = 5: allowed is 0 without train.noise.early"},
		{"no scribbles", []string{"-set", "gen.weak=scribbles"}, exitMissing, "scribbles"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			args := append(partRun(photos, out, "train.iterations=1", "train.checkpoint.val_every=0"), tt.more...)
			for _, dry := range []bool{true, false} {
				if dry {
					args = append(args, "-dry-run")
				} else {
					args = args[:len(args)-1]
				}
				cmd := wsssCommand(t, args...)
				raw, _ := cmd.CombinedOutput() // the code says it
				if code := cmd.ProcessState.ExitCode(); code != tt.code || !strings.Contains(string(raw), tt.says) {
					t.Errorf("dry run %v: exit code %d, want %d and %q\n%s", dry, code, tt.code, tt.says, raw)
				}
			}
			if tt.code != exitOK && files.Exists(filepath.Join(out, "gen")) {
				t.Error("labels were made before the fault was found")
			}
		})
	}
}

// TestPlanCounts: the plan says how many images have what.
func TestPlanCounts(t *testing.T) {
	dir := t.TempDir()
	photos := filepath.Join(dir, "photos")
	partPhotos(t, photos, "a", "e")
	raw, err := wsssCommand(t, append(partRun(photos, filepath.Join(dir, "out")), "-dry-run")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	for _, want := range []string{"4 images in train: masks 1, boxes 3, scribbles 0, points 0, tags 3, nothing 1", "2 images in val: masks 1, boxes 1,"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the plan lacks %q\n%s", want, raw)
		}
	}
}
