package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/data/datatest"
)

// TestTable: two seeds of two rows, scored, ordered and set beside the papers.
func TestTable(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "table.toml")
	text := `
name = "small"
out = "` + filepath.ToSlash(filepath.Join(dir, "out")) + `"
[data]
kind = "scenes"
root = "` + filepath.ToSlash(filepath.Join(dir, "scenes")) + `"
train_split = "train"
val_split = "val"
[data.options]
train = 4
val = 1
min_size = 48
max_size = 64
[train]
skip = true
[[compare]]
name = "boxes"
method = "grabcut"
weak = "boxes"
published = "jiang2023 1 13"
over = ["tags"]
[[compare]]
name = "tags"
method = "grabcut"
weak = "tags"
[[compare]]
name = "a folder"
method = "import"
weak = "none"
options = { labels = "nowhere" }
`
	datatest.Write(t, path, text)
	var printed string
	for range 2 { // the second time everything is there
		printed = capture(t, func() {
			if err := runTable(context.Background(), []string{"-quiet", "-config", path, "-seeds", "1..2"}); err != nil {
				t.Fatal(err)
			}
		})
	}
	for _, want := range []string{"| boxes | boxes | ", " | 91.5 | jiang2023 1 13 | ", "prompt %", "boxes above tags: yes", "2 seeds", "4 images per seed"} {
		if !strings.Contains(printed, want) {
			t.Errorf("the table lacks %q:\n%s", want, printed)
		}
	}
	if strings.Contains(printed, "a folder") {
		t.Error("a row without its files is in the table")
	}
	for _, name := range []string{"table.html", "table.json", "seed-2/report.html"} {
		if !files.Exists(filepath.Join(dir, "out", name)) {
			t.Errorf("%s is missing", name)
		}
	}
	for says, change := range map[string][]string{
		"published.csv":         {"-set", `compare=[{name="a", method="grabcut", weak="boxes", published="box2024 1 99"}]`},
		"no row of that name":   {"-set", `compare=[{name="a", method="grabcut", weak="boxes", over=["b"]}]`},
		"no [[compare]] row":    {"-only", "nobody"},
		"-seeds":                {"-seeds", "3..1"},
		"unknown key gamma ray": {"-set", `compare=[{name="a", method="sam", weak="boxes", options={"gamma ray"=1}}]`},
	} {
		err := runTable(context.Background(), append([]string{"-config", path}, change...))
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), `"`, ""), strings.ReplaceAll(says, `"`, "")) {
			t.Errorf("%v: %v, want %q", change, err, says)
		}
	}
}

// TestTableConfigs: the published tables' rows name methods, options and
// papers' rows that exist.
func TestTableConfigs(t *testing.T) {
	paths, err := filepath.Glob("../../configs/tables/*.toml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		cfg, err := configs.Load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		// Rows whose networks are not trained here are checked and left out, which may be all.
		if _, err := pipeline.NewTable(cfg, "1..3", "", pipeline.Options{}); err != nil && !strings.Contains(err.Error(), "no [[compare]] row to make") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
