package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

// TestFlagsAnywhere: flags may follow words, and a misspelt one is told what it
// is near to.
func TestFlagsAnywhere(t *testing.T) {
	parse := func(args ...string) (*flags, error) {
		f := newFlags("run").withConfig()
		f.SetOutput(io.Discard)
		return f, f.parse(args, 2)
	}
	f, err := parse("photos", "-quiet", "more", "-config", "my.toml")
	if err != nil || !f.quiet || f.config != "my.toml" || !slices.Equal(f.Args(), []string{"photos", "more"}) {
		t.Errorf("%v, quiet %v, config %q, args %q", err, f.quiet, f.config, f.Args())
	}
	f, err = parse("photos", "--", "-quiet")
	if err != nil || f.quiet || !slices.Equal(f.Args(), []string{"photos", "-quiet"}) {
		t.Errorf("%v, quiet %v, args %q", err, f.quiet, f.Args())
	}
	for word, want := range map[string]string{"-confg": "did you mean -config?", "--quite": "did you mean -quiet?", "-bakend=go": "did you mean -backend?"} {
		if _, err := parse(word); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", word, err, want)
		}
	}
	g := newFlags("run").withConfig()
	if err := g.parse([]string{"config=my.toml"}, 0); err == nil || !strings.Contains(err.Error(), "did you mean -config=my.toml?") {
		t.Errorf("a flag without its dash: %v", err)
	}
}
