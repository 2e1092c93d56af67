package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/eval"
)

func TestWriteMethods(t *testing.T) {
	m := Methods{
		Title: "Methods", Note: "40 scenes", Seeds: []int64{1, 2}, Stages: []string{"decode", "embed"},
		Rows: []MethodRow{
			{Name: "SAM <boxes>", Method: "sam", Weak: "boxes", MIoU: []eval.Value{0.8, 0.9}, Published: 91.5, Source: "jiang2023 1 13", PerSecond: 4, Shares: []float64{0.1, 0.9}},
			{Name: "SAM points", Method: "sam", Weak: "points", MIoU: []eval.Value{0.85, 0.7}, Published: 69.2, Doubt: "misprint", Source: "jiang2023 1 6"},
		},
		Orders: []Order{{Above: "SAM <boxes>", Below: "SAM points", Deltas: []float64{-0.05, 0.2}}, {Above: "SAM points", Below: "SAM <boxes>", Deltas: []float64{0.05, -0.2}}},
	}
	dir := t.TempDir()
	if err := WriteMethods(dir, m); err != nil {
		t.Fatal(err)
	}
	for name, wants := range map[string][]string{
		"table.md": {
			"| SAM &lt;boxes&gt; | boxes | 85.0 ± 7.1 | 91.5 | jiang2023 1 13 | 4 | 10 | 90 |",
			"| SAM points | points | 77.5 ± 10.6 | 69.2? | jiang2023 1 6 | – |  |  |",
			"yes, by +7.5 (1 of 2 seeds)", "no, by -7.5 (1 of 2 seeds)",
		},
		"table.html": {"SAM &lt;boxes&gt;", `title="misprint"`, `class="remark"`, "85.0 ± 7.1"},
		"table.json": {`"miou"`, `"images_per_s"`, `"deltas"`},
	} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(raw), want) {
				t.Errorf("%s lacks %q:\n%s", name, want, raw)
			}
		}
	}
	if one := (MethodRow{MIoU: []eval.Value{0.5}}).Score(); one != "50.0" {
		t.Errorf("one seed: %s", one)
	}
}
