package promptsam

import (
	"testing"

	"wsss/data"
	"wsss/gen/naming"
)

// TestCandidateWords: masks are named with the words that CLIP was fine-tuned
// with, or the config's own.
func TestCandidateWords(t *testing.T) {
	a := &auto{namer: &naming.Namer{Background: []string{"sky"}}, classes: data.Classes{Names: []string{"background", "tvmonitor", "cat"}}}
	a.opts.Words = map[string][]string{"cat": {"kitten", "tabby"}}
	list, err := a.candidates(&data.Sample{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"television", "kitten", "tabby", "sky"}
	if len(list) != len(want) {
		t.Fatalf("%d candidates: %v", len(list), list)
	}
	for i, c := range list {
		if c.Text != want[i] {
			t.Errorf("candidate %d is %q, want %q", i, c.Text, want[i])
		}
	}
}
