// Package noise tells how pseudo-labels are wrong, and whether the scores of
// their masks know: what train.noise.confidence and its confidence_min can gain.
//
//	go run ./cmd/bench noise -labels OUT/gen -truth ROOT/SegmentationClass
//	go run ./cmd/bench noise -labels OUT/gen -swap 0.33 -out swapped
//
// With -swap it makes labels of known noise instead: that share of the masks in
// images of several classes gets another of the image's classes.
//
// It prints the share of wrong pixels by kind of error and, of the pixels
// labelled as objects, how the scores of right and wrong ones differ: their
// means, the chance that a right one has the higher score (the area under the
// ROC curve, 0.5 = no signal), and what each confidence_min would keep.
package noise

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"wsss/data"
	"wsss/train"
)

// Main is the command.
func Main() {
	labels := flag.String("labels", "", "`folder` of label maps with the sidecars of gen")
	truth := flag.String("truth", "", "`folder` of true masks <id>.png")
	share := flag.Float64("swap", 0, "write labels whose masks have this `share` of wrong classes")
	out := flag.String("out", "", "… to this new `folder`")
	flag.Parse()
	do := func() error { return tell(*labels, *truth) }
	if *share > 0 {
		do = func() error { return swap(*labels, *out, *share) }
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "bench noise:", err)
		os.Exit(1)
	}
}

func tell(labels, truth string) error {
	n, err := count(labels, truth)
	if err == nil {
		n.print()
	}
	return err
}

// bins is the resolution of scores.
const bins = 1000

// noise counts pixels that are labelled and have a true class.
type noise struct {
	all, missed, invented, confused int              // wrong: background for an object, an object for background, one object for another
	scores                          [2][bins + 1]int // of pixels labelled as objects, wrong and right
}

func count(labels, truth string) (*noise, error) {
	paths, err := filepath.Glob(filepath.Join(labels, "*.png"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no label maps <id>.png", labels)
	}
	n := &noise{}
	for _, path := range paths {
		m, err := data.ReadLabelMap(path)
		if err != nil {
			return nil, err
		}
		want, err := data.ReadLabelMap(filepath.Join(truth, filepath.Base(path)))
		if err != nil {
			return nil, err
		}
		if m.Size() != want.Size() {
			return nil, fmt.Errorf("%s: %v pixels, the true mask has %v", path, m.Size(), want.Size())
		}
		scores, err := train.Confidence(labels, strings.TrimSuffix(filepath.Base(path), ".png"), m)
		if err != nil {
			return nil, err
		}
		for i, v := range m.Pix {
			if v != data.Ignore && want.Pix[i] != data.Ignore {
				n.add(v, want.Pix[i], scores[i])
			}
		}
	}
	return n, nil
}

func (n *noise) add(label, truth uint8, score float32) {
	n.all++
	right := 0
	switch {
	case label == truth:
		right = 1
	case label == 0:
		n.missed++
	case truth == 0:
		n.invented++
	default:
		n.confused++
	}
	if label != 0 {
		n.scores[right][int(min(max(score, 0), 1)*bins)]++
	}
}

func (n *noise) print() {
	percent := func(k, of int) float64 { return 100 * float64(k) / float64(max(of, 1)) }
	fmt.Printf("wrong: %.1f %% of the pixels: background for an object %.1f, an object for background %.1f, one object for another %.1f\n",
		percent(n.missed+n.invented+n.confused, n.all), percent(n.missed, n.all), percent(n.invented, n.all), percent(n.confused, n.all))
	var total [2]int
	var mean [2]float64
	for right, h := range n.scores {
		for b, k := range h {
			total[right] += k
			mean[right] += float64(k) * float64(b) / bins
		}
		mean[right] /= float64(max(total[right], 1))
	}
	var above [2]int
	area := 0.0
	kept := map[int][2]float64{}
	for b := bins; b >= 0; b-- {
		area += float64(n.scores[0][b]) * (float64(above[1]) + float64(n.scores[1][b])/2)
		for right := range above {
			above[right] += n.scores[right][b]
		}
		kept[b] = [2]float64{percent(above[0], total[0]), percent(above[1], total[1])}
	}
	fmt.Printf("object pixels: mean score of right ones %.2f, of wrong ones %.2f, area under the curve %.2f\n\n",
		mean[1], mean[0], area/float64(max(total[0], 1))/float64(max(total[1], 1)))
	fmt.Print("| confidence_min | right kept, % | wrong kept, % |\n|---|---|---|\n")
	for b := bins / 10; b < bins; b += bins / 10 {
		fmt.Printf("| %.1f | %.1f | %.1f |\n", float64(b)/bins, kept[b][1], kept[b][0])
	}
}
