package onnximport

import (
	"testing"

	"wsss/models/backend"
)

type at = map[string]any

// TestOps runs every op that the legaliser rewrites, folds or passes on, on
// every engine at hand, against ONNX Runtime (its stored results where it is
// not installed).
func TestOps(t *testing.T) {
	stored := readFixture(t, "testdata/ops.json")
	live := backend.FindORT() != ""
	b := engines(t)
	for _, c := range opCases() {
		t.Run(c.name, func(t *testing.T) {
			path, inputs := c.model(t)
			outs := outNames(c.outs)
			want := stored[c.name]
			if live {
				want = fromORT(t, path, inputs, outs)
			}
			if *update {
				stored[c.name] = want
			}
			if want == nil {
				t.Fatal("no stored result: run the test with -update where ONNX Runtime is installed")
			}
			tol := c.tol
			if tol == 0 {
				tol = 1e-5
			}
			for name, engine := range b {
				m, err := Open(path, Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				r, err := NewRunner(engine, m, RunnerOptions{NoORT: true})
				if err != nil {
					t.Fatal(err)
				}
				res, err := r.Run(inputs)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				for i, got := range samplesOf(res, outs) {
					if err := compare(got, want[i], tol); err != nil {
						t.Errorf("%s: output %d: %v", name, i, err)
					}
				}
				r.Close()
			}
		})
	}
	if *update {
		stored.write(t, "testdata/ops.json")
	}
}
