package configs

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestChain: needs come first, each once, relative to the file that names them;
// the place of the data is inherited by those of the same kind.
func TestChain(t *testing.T) {
	dir := writeConfigs(t, map[string]string{
		"rows/row.toml":         "base = \"base/cam.toml\"\nname = \"row\"",
		"rows/base/cam.toml":    "name = \"base\"\n[[needs]]\nconfig = \"cams.toml\"\n[[needs]]\nconfig = \"../../clip.toml\"\nset = [\"finetune_clip.epochs=3\"]",
		"rows/base/cams.toml":   "name = \"cams\"\nbase = \"voc.toml\"\n[classifier]\nepochs = 7\n[[needs]]\nconfig = \"labels.toml\"",
		"rows/base/voc.toml":    "[data]\nroot = \"here\"",
		"rows/base/labels.toml": "name = \"labels\"\n[data]\nkind = \"coco\"\nroot = \"coco\"",
		"clip.toml":             "name = \"clip\"\n[data]\nkind = \"openimages\"\nroot = \"photos\"\n[[needs]]\nconfig = \"rows/base/labels.toml\"\n[finetune_clip]\nepochs = 9\n[finetune_clip.val]\nkind = \"voc\"\nroot = \"there\"\ntrain_split = \"train\"\nval_split = \"val\"",
	})
	links, err := Chain(filepath.Join(dir, "rows/row.toml"), []string{`data.root=/a "b"`, "seed=3"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range links {
		names = append(names, l.Config.Name)
	}
	if want := []string{"labels", "cams", "clip", "row"}; !slices.Equal(names, want) {
		t.Fatalf("chain %v, want %v", names, want)
	}
	labels, cams, clip, row := links[0].Config, links[1].Config, links[2].Config, links[3].Config
	if labels.Data.Root != "coco" || cams.Data.Root != `/a "b"` || row.Data.Root != cams.Data.Root || row.Seed != 3 || cams.Seed != 1 {
		t.Errorf("roots %q %q %q, seeds %d %d", labels.Data.Root, cams.Data.Root, row.Data.Root, row.Seed, cams.Seed)
	}
	if clip.Data.Root != "photos" || clip.FineTuneCLIP.Val.Root != cams.Data.Root || clip.FineTuneCLIP.Epochs != 3 {
		t.Errorf("clip: %+v", clip.FineTuneCLIP)
	}
	if !links[1].Tables["classifier"] || links[3].Tables["classifier"] || links[1].File != filepath.Join(dir, "rows/base/cams.toml") {
		t.Errorf("%+v", links[1])
	}
	// What a run records needs the same files from the same folder.
	again, err := Load(write(t, row.TOML()), nil)
	if err != nil || again.Needs[0].Config != row.Needs[0].Config {
		t.Errorf("%v, %+v", err, again.Needs)
	}
	if row.GenHash() != func() string { c := row; c.Needs = nil; return c.GenHash() }() {
		t.Error("needs count in the hash of the labels")
	}
}

func TestChainErrors(t *testing.T) {
	dir := writeConfigs(t, map[string]string{
		"a.toml": "[[needs]]\nconfig = \"sub/b.toml\"", "sub/b.toml": "[[needs]]\nconfig = \"../a.toml\"",
		"self.toml": "[[needs]]\nconfig = \"self.toml\"", "gone.toml": "[[needs]]\nconfig = \"none.toml\"",
		"text.toml": "[[needs]]\nconfig = \"x.txt\"", "empty.toml": "[[needs]]", "table.toml": "[needs]\nconfig = \"a.toml\"",
		"key.toml": "[[needs]]\nconfigs = \"a.toml\"", "set.toml": "[[needs]]\nconfig = \"fine.toml\"\nset = [\"seed\"]",
		"value.toml": "[[needs]]\nconfig = \"fine.toml\"\nset = [\"train.batch=0\"]", "fine.toml": "seed = 2",
	})
	for name, want := range map[string]string{
		"a": "circle: ", "self": "self.toml needs ", "gone": "gone.toml: needs[0]: open ", "text": `needs[0].config = `,
		"empty": "needs[0].config", "table": "needs", "key": "allowed are config, set", "set": `needs[0].set[0] = "seed"`, "value": "fine.toml: train.batch = 0",
	} {
		if _, err := Chain(filepath.Join(dir, name+".toml"), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
