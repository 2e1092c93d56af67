package report

import (
	"slices"
	"strings"
	"testing"

	"wsss/eval"
)

func TestOriginsOnce(t *testing.T) {
	from := func(backend, weights string) eval.Provenance {
		p := eval.Provenance{Command: "wsss run", Seed: 7, Backend: backend, Versions: map[string]string{"go": "1.26"}}
		if weights != "" {
			p.Weights = map[string]string{weights: "c0ffee"}
		}
		return p
	}
	row := func(name string, p eval.Provenance) Row { return Row{Result: &eval.Result{Name: name, From: p}} }
	same := Report{From: from("go", ""), Rows: []Row{row("labels", from("", "")), row("net", from("go", "net.safetensors"))}}
	tests := []struct {
		name string
		r    Report
		want []string // "of: keys"
	}{
		{"what all share stands once", same, []string{"all rows: command, backend, seed, go", "net: weights net.safetensors"}},
		{"what differs stands with each", Report{From: from("go", ""), Rows: []Row{row("a", from("onnx", "")), row("b", from("go", ""))}},
			[]string{"all rows: command, seed, go", "this report: backend", "a: backend", "b: backend"}},
		{"no rows", Report{From: from("go", "")}, []string{"this report: command, backend, seed, go"}},
		{"nothing known", Report{Rows: []Row{row("a", eval.Provenance{})}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, o := range origins(&tt.r) {
				var keys []string
				for _, e := range o.Entries {
					keys = append(keys, e[0])
				}
				got = append(got, o.Of+": "+strings.Join(keys, ", "))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSettingsTable(t *testing.T) {
	rows := []Row{
		{Result: &eval.Result{Name: "labels", Settings: map[string]string{Stages: "decode 1 %", MadeBy: "sam from boxes"}}},
		{Result: &eval.Result{Name: "another tool's"}},
		{Result: &eval.Result{Name: "net", Settings: map[string]string{CRF: "no", Scales: "1", MadeBy: "deeplab-v2", "my own": "x"}}},
	}
	got := settingsOf(rows)
	if want := []string{MadeBy, Scales, CRF, Stages, "my own"}; !slices.Equal(got.Columns, want) {
		t.Errorf("columns %q, want %q", got.Columns, want)
	}
	if len(got.Rows) != 2 || got.Rows[1].Name != "net" || !slices.Equal(got.Rows[1].Cells, []string{"deeplab-v2", "1", "no", "", "x"}) {
		t.Errorf("rows %q", got.Rows)
	}
	if none := settingsOf(rows[1:2]); len(none.Rows)+len(none.Columns) != 0 {
		t.Errorf("without settings: %q", none)
	}
}
