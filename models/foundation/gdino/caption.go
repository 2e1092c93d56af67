package gdino

import (
	"fmt"
	"strings"

	"wsss/models/foundation/tokenize"
)

// Class is a class to look for, and the words for it.
type Class struct {
	Index     int
	Phrase    string
	Threshold float64 // boxes that score above it stay; 0 = the options' box_threshold
}

// Caption is a text as the model takes it, and where each class is in it.
type Caption struct {
	IDs  []int32
	Text string // the words, for people
	spans
}

// spans are the classes of a caption and their token positions [from, to),
// without the separator.
type spans struct {
	classes  []Class
	from, to []int
}

// Normalise brings a phrase to the form of a caption: lower case, trimmed,
// without a final dot (docs/sources.md §4).
func Normalise(phrase string) string {
	return strings.TrimSpace(strings.TrimRight(strings.TrimSpace(strings.ToLower(phrase)), ". "))
}

// Captions packs the classes, in order, into as few captions as hold them with
// at most limit tokens each: "cat. dog." Per class gives each class a caption
// of its own, which is how the survey prompts (docs/sources.md §2.1) and what exports
// traced with a single phrase need. A phrase without letters or too long for
// a caption is an error.
func Captions(t *tokenize.BERT, classes []Class, limit int, perClass bool) ([]Caption, error) {
	var list []Caption
	var cur *Caption
	dot := t.ID(".")
	for _, c := range classes {
		phrase := Normalise(c.Phrase)
		ids := t.Encode(phrase)
		if len(ids) == 0 {
			return nil, fmt.Errorf("class %d has the empty phrase %q", c.Index, c.Phrase)
		}
		if len(ids)+3 > limit {
			return nil, fmt.Errorf("phrase %.40q has %d tokens: allowed are %d", phrase, len(ids), limit-3)
		}
		if cur == nil || perClass || len(cur.IDs)+len(ids)+2 > limit {
			list = append(list, Caption{IDs: []int32{t.CLS()}})
			cur = &list[len(list)-1]
		}
		from := len(cur.IDs)
		cur.IDs = append(append(cur.IDs, ids...), dot)
		cur.classes = append(cur.classes, c)
		cur.from, cur.to = append(cur.from, from), append(cur.to, from+len(ids))
		cur.Text = strings.TrimSpace(cur.Text + " " + phrase + ".")
	}
	for i := range list {
		list[i].IDs = append(list[i].IDs, t.SEP())
	}
	return list, nil
}

// Phrases are the masks of a caption: attention is block-diagonal, a phrase
// with its closing separator sees only itself, and positions count from 0 in
// each block (docs/sources.md §4). mask is [n, n] row-major. Padding sees itself.
func Phrases(t *tokenize.BERT, ids []int32) (mask []bool, positions []int64) {
	n := len(ids)
	mask, positions = make([]bool, n*n), make([]int64, n)
	for i := range n {
		mask[i*n+i] = true
	}
	start := 1
	for i, id := range ids {
		if !isSeparator(t, id) || i == 0 {
			continue
		}
		for r := start; r <= i; r++ {
			positions[r] = int64(r - start)
			for c := start; c <= i; c++ {
				mask[r*n+c] = true
			}
		}
		start = i + 1
	}
	return mask, positions
}

// isSeparator tells whether a token ends a phrase; a comma does not.
func isSeparator(t *tokenize.BERT, id int32) bool {
	return id == t.CLS() || id == t.SEP() || id == t.ID(".") || id == t.ID("?")
}
