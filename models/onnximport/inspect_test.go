package onnximport

import (
	"slices"
	"strings"
	"testing"

	"wsss/models/backend/backendtest"
)

func TestInspect(t *testing.T) {
	for name, want := range map[string]struct {
		rewritten, folded string
		byValue           []string
	}{
		"sam_encoder": {rewritten: "Einsum", folded: "Mod"},
		"dino_piece":  {rewritten: "GridSample", folded: "Shape"},
		"clip_text":   {rewritten: "ArgMax", folded: "Constant"},
		"scripted":    {rewritten: "Loop", folded: "Concat", byValue: []string{"size"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Open("testdata/exports/"+name+".onnx", Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			r := m.Inspect(nil)
			if !r.Importable() {
				t.Fatalf("not importable: %v", r.Failed)
			}
			if r.Rewritten[want.rewritten] == 0 || r.Folded[want.folded] == 0 || r.Final["MatMul"] == 0 {
				t.Errorf("rewritten %v, folded %v, final %v: want %s rewritten, %s folded", r.Rewritten, r.Folded, r.Final, want.rewritten, want.folded)
			}
			if !slices.Equal(r.ByValue, want.byValue) {
				t.Errorf("by value %v, want %v", r.ByValue, want.byValue)
			}
			var text strings.Builder
			r.Write(&text)
			for _, must := range []string{"verdict: it imports", want.rewritten, r.Inputs[0].Name} {
				if !strings.Contains(text.String(), must) {
					t.Errorf("the text lacks %q:\n%s", must, text.String())
				}
			}
		})
	}
}

func TestInspectUnsupported(t *testing.T) {
	c := opCase{name: "x", op: "NoSuchOp", in: []operand{rnd(2, 3)}}
	path, inputs := c.model(t)
	m, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r := m.Inspect(nil)
	if r.Importable() || r.Failed["NoSuchOp"] == nil {
		t.Errorf("an unknown op is not reported: %v", r.Failed)
	}
	run, err := NewRunner(backendtest.One(t), m, RunnerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Run(inputs); err == nil || !strings.Contains(err.Error(), "NoSuchOp is not supported") {
		t.Errorf("run: %v", err)
	}
}
