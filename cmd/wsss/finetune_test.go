package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/cmd/pipeline"
	"wsss/data/datatest"
	"wsss/models/foundation/cliptags"
	"wsss/train/clip"
)

// TestFineTunePlan: a dry run names what is missing, and how to get it.
func TestFineTunePlan(t *testing.T) {
	plan := func(config string, set ...string) string {
		args := []string{"-config", config, "-dry-run"}
		for _, s := range set {
			args = append(args, "-set", s)
		}
		return capture(t, func() {
			if err := runFineTune(t.Context(), args); err != nil && !errors.As(err, new(pipeline.MissingError)) {
				t.Error(err)
			}
		})
	}
	t.Setenv("WSSS_MODELS", t.TempDir())
	text := plan("../../configs/clip_openimages_voc.toml", "finetune_clip.network.encoder=no/encoder.onnx")
	for _, want := range []string{"make one with `wsss data openimages`", "VOCtrainval_11-May-2012.tar", "no/encoder.onnx: the ONNX file", "50 epochs of batch 32", "missing before this can run"} {
		if !strings.Contains(text, want) {
			t.Errorf("the plan lacks %q:\n%s", want, text)
		}
	}
	if text := plan("../../configs/clip_scenes.toml"); !strings.Contains(text, "nothing is missing") {
		t.Errorf("scenes and the debug-size CLIP are there:\n%s", text)
	}
}

// TestFineTuneFeedsGen: the debug-size CLIP is fine-tuned, labels a split, and
// its labels, and it itself beside CLIP without training, lead gen.
func TestFineTuneFeedsGen(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		text, err := wsssCommand(t, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("wsss %s: %v\n%s", strings.Join(args, " "), err, text)
		}
		return string(text)
	}
	set := func(command string, keys ...string) []string {
		args := []string{command, "-config", "../../configs/demo.toml", "-backend", "go", "-quiet"}
		for _, k := range append([]string{"out=" + dir, "data.root=" + filepath.Join(dir, "scenes")}, keys...) {
			args = append(args, "-set", k)
		}
		return args
	}
	size := []string{"data.options.train=16", "data.options.val=6", "data.options.min_size=64", "data.options.max_size=72"}
	fine := append(size, "finetune_clip.network.model=tiny-clip", "finetune_clip.network.head=text", "finetune_clip.epochs=2", "finetune_clip.batch=8",
		"finetune_clip.optimizer.lr=1e-4", "finetune_clip.thresholds.calibrate=0.25", "finetune_clip.thresholds.ensemble=0.5")
	text := run(append(set("finetune-clip", fine...), "-label", "train")...)
	for _, want := range []string{"CLIP without training", "fine-tuned CLIP", "both", "on 6 images"} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil || !strings.Contains(string(page), "Image labels on scenes val") {
		t.Errorf("the report does not show the classifier (%v)", err)
	}
	classifier := filepath.Join(dir, "finetune", clip.ClassifierFile)
	var d cliptags.Description
	datatest.JSON(t, filepath.Join(dir, "finetune", "classifier.json"), &d)
	if d.Ensemble == nil || d.Ensemble.Weight != 0.5 || len(d.Ensemble.Threshold) != len(d.Threshold) || len(d.Val.Bins) == 0 {
		t.Errorf("description %+v", d)
	}

	// The table of labels is a source of tags.
	const method = `gen.options={sam="tiny-sam", gdino="tiny-gdino", detect={nms=0.6, box_threshold=0.2}}`
	tags := filepath.Join(dir, "finetune", "tags-train.csv")
	names := `data.options={classes=["` + strings.Join(d.Classes[1:], `", "`) + `"], tags="` + tags + `"}`
	run(set("gen", "out="+filepath.Join(dir, "a"), "data.kind=voc", "compare=[]", names, "gen.method=grounded-sam", "gen.weak=tags", "gen.fuse.rule=score", method)...)
	// So is the classifier itself, by its thresholds, with CLIP beside it.
	both := strings.TrimSuffix(method, "}") + `, clip="tiny-clip", top_n=0, classifier="` + classifier + `"}`
	run(set("gen", append(size, "out="+filepath.Join(dir, "b"), "gen.method=grounded-sam", "gen.weak=none", "gen.fuse.rule=score", both)...)...)
	same := 0
	for _, id := range []string{"train_000001", "train_000002", "train_000003", "train_000004"} {
		var maps [2][]byte
		for i, sub := range []string{"a", "b"} {
			if maps[i], err = os.ReadFile(filepath.Join(dir, sub, "gen", id+".png")); err != nil {
				t.Fatal(err)
			}
		}
		if string(maps[0]) == string(maps[1]) {
			same++
		}
	}
	if same < 4 { // -label took the ensemble, too
		t.Errorf("%d of 4 label maps agree between the table and the classifier", same)
	}
}
