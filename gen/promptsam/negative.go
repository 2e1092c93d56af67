package promptsam

import (
	"fmt"
	"strings"

	"wsss/data"
	"wsss/gen"
	"wsss/models/foundation/gdino"
	"wsss/models/foundation/ram"
)

// sourceNegative marks prompts for what is taken away.
const sourceNegative = "negative"

// lookAlike is the IoU from which on two boxes are of the same thing.
const lookAlike = 0.5

// negatives are words for look-alikes, by class: gen.options.negative.<class>.
// What they name is not the class.
type negatives map[string][]string

// check refuses classes that the dataset has not, and empty words.
func (n negatives) check(classes data.Classes) error {
	for name, words := range n {
		if classes.Index(name) <= 0 {
			return noClass("negative", name, classes)
		}
		for i, w := range words {
			if strings.TrimSpace(w) == "" {
				return fmt.Errorf("gen.options.negative.%s[%d] is empty: allowed are words", name, i)
			}
		}
	}
	return nil
}

// noClass is the error of an option that names a class which the dataset has not.
func noClass(key, name string, classes data.Classes) error {
	return fmt.Errorf("gen.options.%s.%s: the dataset has no such class: allowed are %s", key, name, strings.Join(classes.Names[min(1, classes.Len()):], ", "))
}

// phrases are the words as classes to look for, beyond the dataset's own, with
// the threshold of the class that they are not; of tells which that is, by
// their index.
func (n negatives) phrases(classes data.Classes, own []gdino.Class) (list []gdino.Class, of map[int]int, err error) {
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
			case gdino.IoU(d.Box, o.Box) < lookAlike:
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

// takeTags leaves out the classes whose negative words RAM gives as tags that
// score at least as high as the class's own. A negative word is no tag of its
// class, whatever the mapping says.
func takeTags(m ram.Mapping, tags []ram.Tag, negative map[int][]string) []int {
	var list []int
	for _, f := range m.Classes(tags) {
		var own []ram.Tag
		var worst float32
		for _, tag := range tags {
			if containsFold(negative[f.Class], tag.Name) {
				worst = max(worst, tag.Score)
			} else {
				own = append(own, tag)
			}
		}
		for _, g := range m.Classes(own) {
			if g.Class == f.Class && (worst == 0 || g.Score > worst) {
				list = append(list, f.Class)
			}
		}
	}
	return list
}

func containsFold(words []string, s string) bool {
	for _, w := range words {
		if strings.EqualFold(strings.TrimSpace(w), s) {
			return true
		}
	}
	return false
}
