package classifier

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/data/scenes"
)

// retagged is a dataset with other tags for one image, and some images left out.
type retagged struct {
	data.Dataset
	id   string
	tags []int
	gone string
}

func (d retagged) IDs(split string) ([]string, error) {
	ids, err := d.Dataset.IDs(split)
	return slices.DeleteFunc(ids, func(id string) bool { return id == d.gone }), err
}

func (d retagged) Load(id string, want data.Want) (*data.Sample, error) {
	s, err := d.Dataset.Load(id, want)
	if err == nil && id == d.id {
		s.Weak.Tags = d.tags
	}
	return s, err
}

// A classifier whose tags, photos or images have changed is trained again, with
// a line that says why; an untouched one is not.
func TestChangedDataIsLearntAgain(t *testing.T) {
	root := t.TempDir()
	cfg := scenes.DefaultConfig()
	cfg.Train, cfg.Val, cfg.MinSize, cfg.MaxSize, cfg.Classes = 24, 12, 40, 56, 3
	if err := scenes.Write(context.Background(), root, cfg, nil); err != nil {
		t.Fatal(err)
	}
	j := job(t, root)
	j.Config.Epochs, j.Config.ValEvery = 1, configs.Epochs(1)
	few := j
	few.Config.Batch = 25
	if _, err := Run(t.Context(), few); err == nil || !strings.Contains(err.Error(), `split "train" of dataset scenes (data.train_split): 24 labelled images, fewer than classifier.batch = 25`) {
		t.Errorf("a batch of more images than there are: %v", err)
	}
	ids, err := j.Dataset.IDs("train")
	if err != nil {
		t.Fatal(err)
	}
	val, err := j.Dataset.IDs("val")
	if err != nil {
		t.Fatal(err)
	}
	plain := j.Dataset
	before, err := plain.Load(ids[2], data.WantWeak)
	if err != nil {
		t.Fatal(err)
	}
	edited := retagged{Dataset: plain, id: ids[2], tags: []int{1}}
	if slices.Equal(before.Weak.Tags, edited.tags) {
		edited.tags = []int{2}
	}
	for _, step := range []struct {
		name, want string
		change     func()
	}{
		{"first", "", func() {}},
		{"nothing", "", func() {}},
		{"tags edited", "1 of 36 labels changed", func() { j.Dataset = edited }},
		{"an image out of the split", "1 image is gone", func() { edited.gone = ids[5]; j.Dataset = edited }},
		{"a photo replaced", "1 photo replaced", func() { copyFile(t, plain.ImagePath(ids[0]), plain.ImagePath(ids[1])) }},
		{"a photo of validation replaced", "1 photo replaced", func() { copyFile(t, plain.ImagePath(ids[0]), plain.ImagePath(val[1])) }},
		{"nothing again", "", func() {}},
	} {
		step.change()
		var lines []string
		j.Log = func(line string) { lines = append(lines, line) }
		res, err := Run(context.Background(), j)
		if err != nil {
			t.Fatal(step.name, err)
		}
		text := strings.Join(lines, "\n")
		again := strings.Contains(text, "trained again")
		if again != (step.want != "") || !strings.Contains(text, step.want) || res.Skipped != (step.want == "" && step.name != "first") {
			t.Errorf("%s: skipped %v, said %q; want %q", step.name, res.Skipped, text, step.want)
		}
		if _, err := os.Stat(filepath.Join(j.OutDir, "data.json")); err != nil {
			t.Error(err)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, raw, 0o644); err != nil {
		t.Fatal(err)
	}
}
