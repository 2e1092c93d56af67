package report

import (
	"math"
	"strings"
	"testing"

	"wsss/eval"
)

// The summary names the scores that are there, and the ratio only of two.
func TestSummary(t *testing.T) {
	none := eval.Value(math.NaN())
	for name, c := range map[string]struct {
		scores map[eval.Kind]eval.Value
		lines  []string
	}{
		"all": {map[eval.Kind]eval.Value{eval.KindPseudo: 0.9, eval.KindNetwork: 0.4, eval.KindBound: 0.8},
			[]string{"pseudo-label mIoU (train)  90.0", "network trained on pseudo-labels, mIoU (val)  40.0", "same network trained on true masks, mIoU (val)  80.0", "of full supervision  50.0 %"}},
		"trained on masks alone": {map[eval.Kind]eval.Value{eval.KindBound: 0.8},
			[]string{"same network trained on true masks, mIoU (val)  80.0"}},
		"no masks to train on": {map[eval.Kind]eval.Value{eval.KindPseudo: none, eval.KindNetwork: 0.4},
			[]string{"network trained on pseudo-labels, mIoU (val)  40.0"}},
		"no masks at all": {map[eval.Kind]eval.Value{eval.KindPseudo: none, eval.KindNetwork: none}, nil},
	} {
		var rows []Row
		for kind, v := range c.scores {
			rows = append(rows, Row{Result: &eval.Result{Kind: kind, MIoU: v}})
		}
		var got []string
		var text strings.Builder
		WriteSummary(&text, rows, "train", "val")
		for line := range strings.Lines(text.String()) {
			if title, value, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
				got = append(got, title+"  "+strings.TrimSpace(value))
			}
		}
		if strings.Join(got, "\n") != strings.Join(c.lines, "\n") {
			t.Errorf("%s: %q, want %q", name, got, c.lines)
		}
	}
}
