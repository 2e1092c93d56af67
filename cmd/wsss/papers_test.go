package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"wsss/cmd/pipeline"
	"wsss/eval/published"
)

// expected matches a line of a config's header: the published row, and its
// numbers.
var expected = regexp.MustCompile(`(?m)^# Expected: (\w+), table (\S+), row (\d+): (.+)$`)

// TestPapers: every config of configs/papers is valid and prints a whole plan
// without data or weights; its header gives the numbers that the paper prints,
// and the command. Together they cover the tables that are to be reproduced.
func TestPapers(t *testing.T) {
	t.Setenv("WSSS_MODELS", t.TempDir())
	paths, err := filepath.Glob("../../configs/papers/*.toml")
	if err != nil || len(paths) < 40 {
		t.Fatalf("%d configs, %v", len(paths), err)
	}
	covered := map[string]bool{}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			checkHeader(t, path, string(raw), covered)
			f := newFlags("run").withConfig()
			f.config = path
			if err := f.set.Set("data.root=" + t.TempDir()); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			links, err := f.chain()
			if err != nil {
				t.Fatal(err)
			}
			if err := pipeline.DryRun(links, &b, f.options()); !errors.As(err, new(pipeline.MissingError)) {
				t.Fatalf("%v, want that data is missing", err)
			}
			for _, want := range []string{"data ", "weights", "steps", "report ", "missing before this can run", "docs/datasets.md"} {
				if !strings.Contains(b.String(), want) {
					t.Errorf("the plan lacks %q:\n%s", want, b.String())
				}
			}
		})
	}
	for table, rows := range map[string][2]int{
		"jiang2023 1": {1, 13}, "jiang2023 2": {1, 10}, "jiang2023 3": {1, 15}, "sepl2023 -": {1, 2},
		"box2024 1": {1, 18}, "box2024 2": {1, 15}, "box2024 3": {1, 10}, "box2024 5": {1, 2}, "box2024 6": {1, 3}, "chen2023 1": {1, 56},
	} {
		for n := rows[0]; n <= rows[1]; n++ {
			if key := fmt.Sprint(table, " ", n); !covered[key] {
				t.Errorf("no config says that it is row %s", key)
			}
		}
	}
}

// checkHeader compares what a header expects with the published numbers.
func checkHeader(t *testing.T, path, text string, covered map[string]bool) {
	t.Helper()
	found := expected.FindAllStringSubmatch(text, -1)
	if len(found) == 0 {
		t.Error("the header expects no published number")
	}
	for _, m := range found {
		number, err := strconv.Atoi(m[3])
		if err != nil {
			t.Fatal(err)
		}
		row, ok := published.ByName(fmt.Sprint(m[1], " ", m[2], " ", number))
		if !ok {
			t.Errorf("%s: there is no such row", m[0])
			continue
		}
		covered[fmt.Sprint(m[1], " ", m[2], " ", number)] = true
		for _, score := range strings.Split(m[4], ", ") {
			column, value := score, ""
			if at := strings.LastIndexByte(score, ' '); at > 0 {
				column, value = score[:at], score[at+1:]
			}
			want, ok := row.Measure(column)
			if s, has := row.Scores[published.Column(column)]; has {
				want, ok = s.Percent, true
			}
			if !ok {
				t.Errorf("%s: the row has no %s", m[0], column)
			} else if fmt.Sprintf("%.1f", want) != value {
				t.Errorf("%s: %s is %.1f", m[0], column, want)
			}
		}
	}
	if !strings.Contains(text, "wsss run -config configs/papers/"+filepath.Base(path)) {
		t.Error("the header lacks the command")
	}
}
