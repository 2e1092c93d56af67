package cam

import (
	"os"
	"path/filepath"
	"testing"

	"wsss/configs"
	"wsss/data"
	_ "wsss/data/scenes" // the dataset kind
	"wsss/eval"
	"wsss/gen"
	"wsss/models/backend/backendtest"
	"wsss/train/classifier"
)

// TestScenes trains the classifier of configs/scenes_cam.toml from a random
// start on tags alone: it ranks the tags of other scenes well, and its maps
// label pixels far better than chance.
func TestScenes(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("trains a classifier, some four minutes of CPU: set WSSS_VERIFY=1")
	}
	cfg, err := configs.Load("../../configs/scenes_cam.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	b := backendtest.One(t)
	ds, err := data.Open("scenes", data.Options{Root: t.TempDir(), Seed: cfg.Seed, Extra: cfg.Data.Options})
	if err != nil {
		t.Fatal(err)
	}
	res, err := classifier.Run(t.Context(), classifier.Job{
		Dataset: ds, Split: "train", ValSplit: "val", Config: cfg.Classifier, Seed: cfg.Seed, Backend: b, OutDir: t.TempDir(), Log: func(line string) { t.Log(line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.Val.MAP < 0.7 {
		t.Errorf("mAP %.3f, want at least 0.7", res.Val.MAP)
	}
	options := cfg.Gen.Options
	options["classifier"] = res.Classifier
	options["save"] = filepath.Join(t.TempDir(), "cams")
	m, err := gen.New(gen.Env{Backend: b, Classes: ds.Classes(), Weak: data.WeakTags, Gen: cfg.Gen})
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	// The scenes that the classifier has not seen.
	if _, err := gen.Run(t.Context(), gen.RunOptions{Dataset: ds, Split: "val", Method: m, Name: "cam", Weak: data.WeakTags, Fuse: cfg.Gen.Fuse, OutDir: out, ConfigHash: cfg.GenHash()}); err != nil {
		t.Fatal(err)
	}
	score, err := eval.Folder(t.Context(), ds, "val", out, eval.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("mIoU %.3f", score.MIoU)
	if score.MIoU < 0.35 { // background everywhere has 0.095
		t.Errorf("mIoU %.3f, want at least 0.35", score.MIoU)
	}
}
