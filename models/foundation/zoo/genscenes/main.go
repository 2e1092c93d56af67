// Command genscenes writes the scenes that the tiny zoo is trained on, as a
// folder in VOC's layout. The seed differs from the demo's, so that no demo
// picture is in the training set.
//
//	go run ./models/foundation/zoo/genscenes -out DIR [-train 3000]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"wsss/data/scenes"
)

func main() {
	cfg := scenes.Config{Train: 3000, Val: 100, MinSize: 128, MaxSize: 160, Classes: len(scenes.ClassNames()), Seed: 7001}
	out := flag.String("out", "", "folder to write")
	flag.IntVar(&cfg.Train, "train", cfg.Train, "training pictures")
	flag.IntVar(&cfg.Val, "val", cfg.Val, "validation pictures")
	flag.Parse()
	if err := scenes.Write(context.Background(), *out, cfg, nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
