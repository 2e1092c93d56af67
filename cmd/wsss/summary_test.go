package main

import (
	"math"
	"strings"
	"testing"

	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/eval"
	"wsss/eval/report"
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
		p := &pipeline.Run{Config: configs.Config{}}
		p.Config.Data.TrainSplit, p.Config.Data.ValSplit = "train", "val"
		var rows []report.Row
		for kind, v := range c.scores {
			rows = append(rows, report.Row{Result: &eval.Result{Kind: kind, MIoU: v}})
		}
		var got []string
		for line := range strings.Lines(capture(t, func() { summary(p, rows) })) {
			if title, value, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
				got = append(got, title+"  "+strings.TrimSpace(value))
			}
		}
		if strings.Join(got, "\n") != strings.Join(c.lines, "\n") {
			t.Errorf("%s: %q, want %q", name, got, c.lines)
		}
	}
}

// A flag that nothing would look at is refused.
func TestEvalFlagsAlone(t *testing.T) {
	for _, flags := range [][]string{{"-binary"}, {"-void-as-background"}, {"-void-as-background", "-labels", "x"}, {"-void-as-background", "-submission", "x.tgz"}} {
		if code := dispatch(t.Context(), append([]string{"eval", "-config", "absent.toml"}, flags...)); code != exitUsage {
			t.Errorf("%v: exit code %d", flags, code)
		}
	}
	err := runEval(t.Context(), []string{"-config", "absent.toml", "-binary"})
	if err == nil || !strings.Contains(err.Error(), "-labels and -against") {
		t.Errorf("error %v", err)
	}
}
