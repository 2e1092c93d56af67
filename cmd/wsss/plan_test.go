package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlanOfClassifiers: a config without [train] is planned as what it trains,
// and what its labels need of that.
func TestPlanOfClassifiers(t *testing.T) {
	t.Setenv("WSSS_MODELS", t.TempDir())
	tests := []struct {
		config string
		want   []string
	}{
		{"clip_openimages_voc", []string{"as wsss finetune-clip -config", "50 epochs of batch 32", "missing before this can run"}},
		{"clip_openimages_coco", []string{"as wsss finetune-clip -config", "50 epochs of batch 32"}},
		{"clip_scenes", []string{"as wsss finetune-clip -config", "3 epochs of batch 16", "nothing is missing"}},
		{"scenes_cam", []string{"as wsss train-classifier -config", "20 epochs of batch 16", "cam from tags", "made by an earlier step", "sepl from tags", "nothing is missing"}},
		{"papers/jiang2023_t2_05_cam_sam", []string{"first, what it needs: ../../configs/papers/base/cams.toml", "5 epochs of batch 16", "CAM + SAM", "classifier.safetensors made by an earlier step", "missing before this can run"}},
		{"papers/box2024_t1_17_deeplabv3plus", []string{"first, what it needs: ../../configs/clip_openimages_voc.toml", "classifier.onnx made by an earlier step", "20000 iterations"}},
	}
	for _, tt := range tests {
		t.Run(filepath.Base(tt.config), func(t *testing.T) {
			plan := func(more ...string) (string, int) {
				cmd := wsssCommand(t, append([]string{"run", "-dry-run", "-config", "../../configs/" + tt.config + ".toml"}, more...)...)
				text, _ := cmd.CombinedOutput() // the code says it
				return string(text), cmd.ProcessState.ExitCode()
			}
			text, code := plan()
			for _, want := range tt.want {
				if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
					t.Errorf("the plan lacks %q", want)
				}
			}
			want := exitOK
			if strings.Contains(text, "missing before this can run") {
				want = exitMissing
			}
			if code != want {
				t.Errorf("exit code %d, want %d", code, want)
			}
			if text, code := plan("-set", "train.augment.crop=65", "-set", "train.skip=false", "-set", "train.network.init="); code != exitUsage || !strings.Contains(text, "train.network.batch_norm") {
				t.Errorf("with a table [train]: exit code %d, %s", code, text)
			}
			if t.Failed() {
				t.Log(text)
			}
		})
	}
}

// TestOptionErrors: what is wrong about a method's options is said before any
// work, with file, table and key.
func TestOptionErrors(t *testing.T) {
	const config = "../../configs/demo.toml"
	tests := []struct {
		command, set string
		want         string
	}{
		{"gen", `gen.options.crop="yes"`, config + ": method sam: gen.options.crop: the value is of type string, allowed is boolean"},
		{"run", `gen.options.crop="yes"`, config + ": method sam: gen.options.crop: "},
		{"run", `gen.options.corp=true`, "unknown key corp: allowed are sam, encoder"},
		{"run", `compare=[{name="cuts", method="grabcut", options={gamma="much"}}]`, config + `: compare "cuts": method grabcut: gen.options.gamma: the value is of type string, allowed is float`},
		{"run", `eval.zero_shot=[{name="none", method="grounded-sam", options={sam=1}}]`, config + `: eval.zero_shot "none": method grounded-sam: gen.options.sam: `},
		{"run", `compare=[{name="found", method="exemplars", weak="exemplars", options={owl={model="owlv3"}}}]`, config + `: model "owlv3" is unknown: known are`},
		{"run", `data.options.train="many"`, config + ": dataset scenes"},
	}
	for _, tt := range tests {
		t.Run(tt.set, func(t *testing.T) {
			out := t.TempDir()
			cmd := wsssCommand(t, tt.command, "-config", config, "-backend", "go", "-set", "out="+out, "-set", "data.root="+filepath.Join(out, "scenes"),
				"-set", "data.options.val=1", "-set", "data.options.train=1", "-set", tt.set)
			text, _ := cmd.CombinedOutput() // the code says it
			if code := cmd.ProcessState.ExitCode(); code != exitUsage || !strings.Contains(string(text), tt.want) {
				t.Errorf("exit code %d, want %d; %s, want %s", code, exitUsage, text, tt.want)
			}
			if _, err := os.Stat(filepath.Join(out, "gen")); err == nil {
				t.Error("labels were made before the config was checked")
			}
		})
	}
}
