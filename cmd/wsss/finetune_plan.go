package main

import (
	"cmp"
	"fmt"
	"io"

	"wsss/cmd/pipeline"
)

// fineTunePlan says what `wsss finetune-clip` would do and what it lacks. It
// does no work.
func fineTunePlan(f *flags, w io.Writer) error {
	cfg, err := f.load()
	if err != nil {
		return err
	}
	p := &pipeline.Plan{Run: &pipeline.Run{Options: f.options(), Config: cfg}, Print: w}
	fmt.Fprintf(w, "%s\nseed %d, backend %s\n\n", cfg.Name, cfg.Seed, cmp.Or(cfg.Backend, "the fastest that works here"))
	if err := p.FineTune(); err != nil {
		return err
	}
	return pipeline.MissingFrom(w, p.Lacks)
}
