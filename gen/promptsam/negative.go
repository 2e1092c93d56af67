package promptsam

import (
	"fmt"

	"wsss/data"
	"wsss/data/metrics"
	"wsss/gen"
	"wsss/gen/naming"
	"wsss/models/foundation/gdino"
)

// sourceNegative marks prompts for what is taken away.
const sourceNegative = "negative"

// lookAlike is the IoU from which on two boxes are of the same thing.
const lookAlike = 0.5

// negativePhrases are the words as classes to look for, beyond the dataset's own, with
// the threshold of the class that they are not; of tells which that is, by
// their index.
func negativePhrases(n naming.Negatives, classes data.Classes, own []gdino.Class) (list []gdino.Class, of map[int]int, err error) {
	of = map[int]int{}
	next := classes.Len()
	for class, name := range classes.Names {
		for _, w := range n[name] {
			if next >= data.MaxClasses {
				return nil, nil, fmt.Errorf("gen.options.negative: with the classes there are more than %d words", data.MaxClasses)
			}
			list = append(list, gdino.Class{Index: next, Phrase: w, Threshold: own[class].Threshold})
			of[next] = class
			next++
		}
	}
	return list, of, nil
}

// takeBoxes leaves out the boxes of a class that answer one of its negative
// words at least as well, and the negative ones that answer the class better.
// of leads from a negative's index to its class.
func takeBoxes(found []gdino.Detection, of map[int]int) []gdino.Detection {
	var kept []gdino.Detection
	for _, d := range found {
		class, negative := of[d.Box.Class]
		beaten := false
		for _, o := range found {
			rival, isNegative := of[o.Box.Class]
			switch {
			case metrics.BoxIoU(d.Box, o.Box) < lookAlike:
			case negative:
				beaten = beaten || o.Box.Class == class && o.Score > d.Score
			default:
				beaten = beaten || isNegative && rival == d.Box.Class && o.Score >= d.Score
			}
		}
		if !beaten {
			kept = append(kept, d)
		}
	}
	return kept
}

// takeMasks leaves out the masks of negative words, and takes their pixels from
// masks of the class that score no higher as boxes.
func takeMasks(masks []gen.Mask, of map[int]int) []gen.Mask {
	var kept []gen.Mask
	for _, m := range masks {
		if _, negative := of[m.Class]; negative {
			continue
		}
		for _, n := range masks {
			if class, negative := of[n.Class]; negative && class == m.Class && n.From.Score >= m.From.Score {
				m.Bits = without(m.Bits, n.Bits)
			}
		}
		if m.Bits.Area() > 0 {
			kept = append(kept, m)
		}
	}
	return kept
}

// without is a less b.
func without(a, b data.RLE) data.RLE {
	bits := make([]uint8, a.W*a.H)
	a.Each(func(x, y0, y1 int) {
		for y := y0; y < y1; y++ {
			bits[y*a.W+x] = 1
		}
	})
	b.Each(func(x, y0, y1 int) {
		for y := y0; y < y1; y++ {
			bits[y*a.W+x] = 0
		}
	})
	return data.EncodeRLE(bits, a.W, a.H)
}
