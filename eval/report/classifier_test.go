package report

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const judged = `{"on": "voc val", "classes": ["cat", "dog"], "judged": [
 {"name": "before", "images": 9, "map": 0.5, "map11": 0.4, "map_area": 0.45, "ap": [0.5, -1], "precision": 0.6, "recall": 0.7, "ece": 0.2,
  "bins": [{"n": 3, "mean": 0.25, "yes": 0.5}, {"n": 6, "mean": 1, "yes": 1}]},
 {"name": "after", "images": 9, "map": 0.8, "map11": 0.7, "map_area": 0.75, "ap": [0.8, -1], "precision": 0.9, "recall": 0.8, "ece": 0.1, "bins": [{"n": 9, "mean": 0.5, "yes": 0.5}]}]}`

// TestClassifiers: a report of image labels alone, without any label map.
func TestClassifiers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "result.json")
	writeFile(t, path, []byte(judged))
	c, err := ReadClassifiers(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(context.Background(), dir, Report{Title: "labels", Classifiers: c}, nil); err != nil {
		t.Fatal(err)
	}
	for name, wants := range map[string][]string{
		// The plot is 444×204 from (52, 214) up.
		HTMLName:     {"Image labels on voc val", `<td class="n main">80.0</td>`, "52.0,214.0 508.0,10.0", "166.0,112.0 508.0,10.0", "ECE 10.0", `<tr><th scope="row">dog</th><td class="n">–</td>`},
		MarkdownName: {"| after | 9 | 80.0 | 70.0 | 75.0 | 90.0 | 80.0 | 10.0 |", "| cat | 50.0 | 80.0 |"},
		JSONName:     {`"map11": 0.7`},
	} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(raw), want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		if strings.Contains(string(raw), "## Results") || strings.Contains(string(raw), `id="results"`) {
			t.Errorf("%s has a table of results without any", name)
		}
	}
	writeFile(t, path, []byte(strings.Replace(judged, "[0.5, -1]", "[0.5]", 1)))
	if _, err := ReadClassifiers(path); err == nil || !strings.Contains(err.Error(), "before has 1 average precisions for 2 classes") {
		t.Errorf("error %v", err)
	}
}
