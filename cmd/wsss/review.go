package main

import (
	"context"
	"errors"
	"fmt"

	"wsss/cmd/pipeline"
	"wsss/eval/review"
)

func init() {
	register(command{name: "review", short: "look at labels in the browser and correct them", run: runReview})
}

const reviewIntro = `
wsss review serves a page on this machine (127.0.0.1, with a random token in
its address) that shows the images in the order of expected gain: doubtful
labels, that the network gets wrong, of rare classes first. Draw boxes, click
into objects and out of them, scribble, paint, erase, fill; accept, reject. A
click or box asks the config's model (SAM where it has one, else GrabCut).

Every change is saved at once, as a file in the folder corrections below
data.root (data.corrections names another). gen, train and eval take them up:
corrected pixels outrank every method, corrected prompts are asked again.

  wsss review -config my.toml
  wsss init -classes "scratch,dent" -weak boxes photos     from nothing: then draw
  wsss review -config photos.toml`

func runReview(ctx context.Context, args []string) error {
	f := newFlags("review", reviewIntro).withConfig()
	port := f.Int("port", 0, "`port` of 127.0.0.1; 0 = any that is free")
	split := f.String("split", "", "review this `split` instead of data.train_split")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *port < 0 || *port > 65535 {
		return pipeline.Usagef("review: -port %d: allowed are 0..65535", *port)
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	o, err := p.ReviewOptions(ctx, *split)
	if err != nil {
		return err
	}
	server := review.New(*o)
	l, err := server.Listen(*port)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "review %d images: open  %s\n", len(o.Queue), server.URL())
	p.Say("corrections are kept in %s; clicks and boxes ask %s; Ctrl-C ends", o.Dataset.Folder.Dir, o.Model)
	err = server.Serve(ctx, l)
	if text := server.Summary(); text != "" {
		p.Say("%s; `wsss run` with this config takes them up", text)
	}
	if n, of := server.Quantile(0.5); of > 0 {
		late, _ := server.Quantile(0.95)
		p.Say("from click to mask: median %.0f ms, 95 %% within %.0f ms, of %d", n, late, of)
	}
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C is how it ends
	}
	return err
}
